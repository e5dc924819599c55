//! A token that its provider does not take any more, through real Envoys: renewed once, and the next request has the new one.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::support::{
    Answer, Llm, Origin, Placement, Request, Told, Until, Version, World, WorldOptions, eventually,
};

const EVERYWHERE: [(Version, Placement); 6] = [
    (Version::Oldest, Placement::Downstream),
    (Version::Oldest, Placement::Upstream),
    (Version::Oldest, Placement::Pair),
    (Version::Newest, Placement::Downstream),
    (Version::Newest, Placement::Upstream),
    (Version::Newest, Placement::Pair),
];

thread_local! {
    /// Where the token endpoint of this thread's case is.
    static ENDPOINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A world with one provider, whose tokens come from an endpoint that hands out its two keys, one after the other.
struct Tokens {
    world: World,
    endpoint: Origin,
    llm: &'static str,
}

#[test]
fn a_refused_token_is_renewed_once_and_the_next_request_has_the_new_one() {
    for (version, placement) in EVERYWHERE {
        let tokens = Tokens::start(version, placement, "openai");
        let (old, new) = (tokens.bearer(0), tokens.bearer(1));
        assert_eq!(tokens.ask().status, 200, "{version:?} {placement:?}");
        assert_eq!(tokens.used(), vec![old.clone()]);

        tokens.refuse(401, &format!("Incorrect API key provided: {old}"));
        let refused = tokens.ask();
        assert_eq!(refused.status, 503, "{version:?} {placement:?}: {}", refused.text());
        assert_eq!(refused.json()["error"]["code"], "credential_unavailable");
        assert_eq!(refused.header("retry-after").as_deref(), Some("1"));
        assert_eq!(tokens.ask().status, 200, "who comes back at once waits for it");
        assert_eq!(tokens.used(), [old, new.clone()]);

        for _ in 0..10 {
            tokens.refuse(401, "and the new one neither");
            let refused = tokens.ask();
            assert_eq!(
                (refused.status, &refused.json()["error"]["code"]),
                (502, &json!("credential_rejected"))
            );
        }
        assert_eq!(tokens.used(), vec![new; 10]);
        assert_eq!(tokens.endpoint.take().len(), 2, "one renewal in half a minute");
        let renewed = ["provider=\"openai\"", "reason=\"upstream_rejected\"", "result=\"ok\""];
        assert!(tokens.world.bouncer.metric("bouncer_token_refresh_total", &renewed) == 1.0);
        assert!(
            tokens.world.bouncer.metric("bouncer_upstream_rejections_total", &["status=\"401\""]) == 11.0
        );
    }
}

#[test]
fn a_403_of_anthropics_renews_the_token_where_its_body_says_revoked() {
    for (version, placement) in EVERYWHERE {
        let tokens = Tokens::start(version, placement, "anthropic");
        let says = |message: &str| {
            tokens.refuse(403, message);
            let answer = tokens.ask();
            assert_eq!(answer.status, 403, "{version:?} {placement:?}: {}", answer.text());
            assert!(answer.text().contains(message), "{}", answer.text());
        };
        says("OAuth token does not meet scope requirement any_of(x)");
        assert_eq!(tokens.ask().status, 200);
        assert_eq!(tokens.used(), vec![tokens.bearer(0); 2]);
        says("OAuth token has been revoked. Please obtain a new token.");
        assert_eq!(tokens.ask().status, 200);
        assert_eq!(tokens.used(), [tokens.bearer(0), tokens.bearer(1)]);
        assert_eq!(tokens.endpoint.take().len(), 2);
    }
}

#[test]
fn the_flag_of_an_anthropic_token_joins_the_callers_own() {
    for (version, placement) in EVERYWHERE {
        let tokens = Tokens::start(version, placement, "anthropic");
        for (sent, arrives) in [
            (&[][..], "oauth-2025-04-20"),
            (&["files-api-2025-04-14", "x"], "files-api-2025-04-14,x,oauth-2025-04-20"),
            (&["a, oauth-2025-04-20"], "a, oauth-2025-04-20"),
        ] {
            let request =
                sent.iter().fold(tokens.request(), |request, flag| request.header("anthropic-beta", flag));
            assert_eq!(tokens.world.ask("anthropic", request).status, 200, "{version:?} {placement:?}");
            assert_eq!(tokens.world.seen()[0].all("anthropic-beta"), [arrives]);
        }
    }
}

impl Tokens {
    fn start(version: Version, placement: Placement, llm: &'static str) -> Self {
        let endpoint = Origin::start();
        ENDPOINT.set(format!("http://{}/token", endpoint.address));
        let configure = |config: &mut Value| {
            let entry = &mut config["providers"][0];
            entry["auth_type"] = json!("oauth2");
            entry["token_endpoint"] = json!(ENDPOINT.take());
            entry["client_auth"] = json!("post");
        };
        let llms = vec![Llm::new(llm, "authorization")];
        for key in &llms[0].keys {
            let body = json!({"access_token": key, "token_type": "Bearer", "expires_in": 3600}).to_string();
            endpoint.answer_next(Told { status: 200, body, ..Told::default() });
        }
        let options = WorldOptions::new(placement, version);
        let world = World::with(WorldOptions { llms, configure, until: Until::Listens, ..options });
        // The world's own secret is a key; the client's is a change of it.
        world.secrets.add("the-clients-own-secret");
        world.bouncer.files().write_secret(llm, "client_secret", "the-clients-own-secret");
        world.bouncer.files().write_secret(llm, "client_id", "gateway");
        let tokens = Self { world, endpoint, llm };
        eventually("a token", || (tokens.ask().status == 200).then_some(()));
        tokens.used();
        tokens
    }

    fn request(&self) -> Request {
        Request::post("/v1/messages", "{}").bearer(&self.world.token("alice"))
    }

    fn ask(&self) -> Answer {
        self.world.ask(self.llm, self.request())
    }

    /// The next request is refused.
    fn refuse(&self, status: u16, message: &str) {
        let body = json!({"error": {"message": message}}).to_string();
        self.world.provider.origin.answer_next(Told { status, body, ..Told::default() });
    }

    /// What stood in `authorization` since the last look.
    fn used(&self) -> Vec<String> {
        self.world.seen().iter().map(|seen| seen.all("authorization").join(",")).collect()
    }

    fn bearer(&self, number: usize) -> String {
        format!("Bearer {}", self.world.llms[0].keys[number])
    }
}
