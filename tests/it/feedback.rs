//! What the provider says to our credential, through real Envoys: its 401 stays here, its 403 does not, and an answer of
//! Envoy's own is not taken for the provider's.

use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Answer, Front, Pace, Placement, Request, Told, Version, World, WorldOptions, eventually, field, send,
};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

/// ext_authz sees no responses.
const PLACEMENTS: [Placement; 3] = [Placement::Downstream, Placement::Upstream, Placement::Pair];

const REJECTIONS: &str = "bouncer_upstream_rejections_total";

#[test]
fn a_401_of_the_providers_stays_here_and_the_caller_gets_an_answer_of_ours() {
    for (version, placement) in everywhere() {
        let world = world(version, placement, answer);
        let key = world.key("openai").to_owned();
        world.provider.origin.answer_next(unauthorized(&format!("Incorrect API key provided: {key}.")));
        let refused = world.ask("openai", chat(&world.token("alice")).header("x-request-id", "r-1"));
        assert_eq!(refused.status, 502, "{version:?} {placement:?}: {}", refused.text());
        assert_eq!(refused.json()["error"]["code"], "credential_rejected");
        assert_eq!(refused.header("x-request-id").as_deref(), Some("r-1"));
        assert_eq!(refused.header("www-authenticate"), None);
        assert_eq!(world.seen().len(), 1, "nothing is sent again");
        assert!(world.bouncer.metric(REJECTIONS, &["provider=\"openai\"", "status=\"401\""]) == 1.0);

        world.provider.origin.answer_next(unauthorized("invalid x-api-key"));
        let refused =
            world.ask("anthropic", Request::post("/v1/messages", "{}").bearer(&world.token("alice")));
        assert_eq!((refused.status, &refused.json()["type"]), (502, &json!("error")), "{}", refused.text());
        assert_eq!(world.ask("openai", chat(&world.token("alice"))).status, 200);
    }
}

#[test]
fn a_403_and_every_answer_that_nobody_asked_for_pass_as_they_are() {
    for (version, placement) in everywhere() {
        let world = world(version, placement, |config| {
            answer(config);
            config["providers"][1]["feedback"] = json!("observe");
            config["providers"][2]["feedback"] = json!("off");
        });
        let passed = |llm: &str, status: u16| {
            let told = Told { status, ..unauthorized("in the provider's own words") };
            world.provider.origin.answer_next(told);
            let answer = world.ask(llm, chat(&world.token("alice")));
            assert_eq!(answer.status, status, "{version:?} {placement:?} {llm}: {}", answer.text());
            assert!(answer.text().contains("own words"), "{}", answer.text());
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.as_deref(), Some("Bearer error=\"invalid_token\""));
            world
                .bouncer
                .metric(REJECTIONS, &[&format!("provider=\"{llm}\""), &format!("status=\"{status}\"")])
        };
        assert!(passed("openai", 403) == 1.0);
        assert!(passed("azure", 401) == 1.0, "seen and left");
        assert!(passed("anthropic", 401) == 0.0, "not looked at");
        assert!(passed("openai", 429) == 0.0);
    }
}

#[test]
fn p15_a_401_that_a_filter_of_envoys_made_is_not_the_providers() {
    for (version, placement) in everywhere() {
        let front = |front: &mut Front| {
            let answer =
                "function envoy_on_request(handle) handle:respond({[\":status\"] = \"401\"}, \"no\") end";
            front.behind = vec![json!({"name": "envoy.filters.http.lua", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": answer},
            }})];
        };
        let options = WorldOptions::new(placement, version);
        let world = World::with(WorldOptions { configure: answer, front, ..options });
        let local = world.ask("openai", chat(&world.token("alice")));
        assert_eq!((local.status, local.text().as_str()), (401, "no"), "{version:?} {placement:?}");
        assert!(world.bouncer.metric(REJECTIONS, &[]) == 0.0);
        assert_eq!(world.provider.arrived(), 0);
    }
}

#[test]
fn whose_401_it_is_has_to_be_said() {
    for (version, placement) in everywhere() {
        let front = |front: &mut Front| front.filter = |filter| filter["response_attributes"] = json!([]);
        let options = WorldOptions::new(placement, version);
        let world = World::with(WorldOptions { configure: answer, front, ..options });
        world.provider.origin.answer_next(unauthorized("in the provider's own words"));
        let passed = world.ask("openai", chat(&world.token("alice")));
        assert_eq!(passed.status, 401, "{version:?} {placement:?}");
        assert!(world.bouncer.metric(REJECTIONS, &[]) == 0.0);
        world.bouncer.process.wait_for("that it is told", |line| {
            field(line, "action")?.contains("response_attributes").then_some(())
        });
    }
}

#[test]
fn a_static_response_header_mode_does_as_well() {
    for (version, placement) in everywhere() {
        let front = |front: &mut Front| {
            front.filter = |filter| {
                filter["allow_mode_override"] = json!(false);
                filter["processing_mode"]["response_header_mode"] = json!("SEND");
            };
        };
        let configure = |config: &mut Value| config["providers"][0]["feedback"] = json!("answer");
        let options = WorldOptions::new(placement, version);
        let world = World::with(WorldOptions { configure, front, ..options });
        let answered = |llm: &str| {
            world.provider.origin.answer_next(unauthorized("in the provider's own words"));
            world.ask(llm, chat(&world.token("alice"))).status
        };
        assert_eq!((answered("openai"), answered("azure")), (502, 401), "{version:?} {placement:?}");
    }
}

#[test]
fn a_late_401_of_an_earlier_key_leaves_the_new_one_and_says_come_back() {
    for (version, placement) in everywhere() {
        let world = world(version, placement, answer);
        let new = world.llms[0].keys[1].as_str();
        let used = || Some(world.seen().pop()?.all("authorization").join(","));
        world.provider.origin.answer_next(Told { pace: Pace::Late, ..unauthorized("late") });
        let late = thread::scope(|scope| {
            let asking = scope.spawn(|| world.ask("openai", chat(&world.token("alice"))));
            let old = eventually("the first request", used);
            assert_eq!(old, format!("Bearer {}", world.key("openai")));
            world.bouncer.files().write_secret("openai", "api_key", new);
            eventually("the new key", || {
                assert_eq!(world.ask("openai", chat(&world.token("alice"))).status, 200);
                used().filter(|used| used.contains(new))
            });
            world.provider.origin.release();
            asking.join().unwrap()
        });
        assert_eq!(late.status, 503, "{version:?} {placement:?}: {}", late.text());
        assert_eq!(late.json()["error"]["code"], "credential_unavailable");
        assert_eq!(late.header("retry-after").as_deref(), Some("1"));
        assert_eq!(world.ask("openai", chat(&world.token("alice"))).status, 200);
        assert_eq!(used(), Some(format!("Bearer {new}")));
    }
}

#[test]
fn a_refused_request_is_not_sent_again_even_where_the_route_retries_5xx() {
    for (version, placement) in everywhere() {
        let front = |front: &mut Front| front.routes.iter_mut().for_each(|route| route.retries = 2);
        let options = WorldOptions::new(placement, version);
        let world = World::with(WorldOptions { configure: answer, front, ..options });
        world.provider.origin.answer_next(unauthorized("once"));
        assert_eq!(world.ask("openai", chat(&world.token("alice"))).status, 502);
        assert_eq!(world.seen().len(), 1, "{version:?} {placement:?}");
    }
}

#[test]
fn a_long_answer_keeps_no_stream_open_once_its_headers_were_seen() {
    for (version, placement) in SINGLE {
        let world = world(version, placement, answer);
        let body = "x".repeat(1000);
        world.provider.origin.answer_next(Told { status: 200, body, pace: Pace::Held, ..Told::default() });
        thread::scope(|scope| {
            let asking = scope.spawn(|| world.ask("openai", chat(&world.token("alice"))));
            eventually("the request", || (world.provider.arrived() == 1).then_some(()));
            eventually("the end of its stream", || {
                (world.bouncer.metric("bouncer_streams_active", &[]) == 0.0).then_some(())
            });
            assert!(!asking.is_finished(), "{version:?} {placement:?}");
            world.provider.origin.release();
            let answer: Answer = asking.join().unwrap();
            assert_eq!((answer.status, answer.body.len()), (200, 1000));
        });
    }
}

#[test]
fn a_drain_lets_the_requests_go_that_wait_for_a_slow_provider() {
    for (version, placement) in SINGLE {
        let mut world = world(version, placement, answer);
        let token = world.token("alice");
        let body = "x".repeat(1000);
        world.provider.origin.answer_next(Told { status: 200, body, pace: Pace::Late, ..Told::default() });
        let request = chat(&token).header("host", World::domain("openai"));
        let address = world.address();
        let asking = thread::spawn(move || send(address, &request));
        eventually("the request", || (world.provider.arrived() == 1).then_some(()));
        world.bouncer.process.signal(Signal::TERM);
        assert_eq!(world.bouncer.process.wait().code(), Some(0), "{version:?} {placement:?}");
        world.provider.origin.release();
        let answer = asking.join().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 1000), "{version:?} {placement:?}");
    }
}

/// One filter alone sees request and response.
const SINGLE: [(Version, Placement); 4] = [
    (Version::Oldest, Placement::Downstream),
    (Version::Newest, Placement::Downstream),
    (Version::Oldest, Placement::Upstream),
    (Version::Newest, Placement::Upstream),
];

fn everywhere() -> impl Iterator<Item = (Version, Placement)> {
    VERSIONS.into_iter().flat_map(|version| PLACEMENTS.map(|placement| (version, placement)))
}

fn world(version: Version, placement: Placement, configure: fn(&mut Value)) -> World {
    World::with(WorldOptions { configure, ..WorldOptions::new(placement, version) })
}

/// Every entry asks for feedback.
fn answer(config: &mut Value) {
    for entry in config["providers"].as_array_mut().unwrap() {
        entry["feedback"] = json!("answer");
    }
}

fn unauthorized(message: &str) -> Told {
    Told {
        status: 401,
        headers: vec![("www-authenticate", "Bearer error=\"invalid_token\"".to_owned())],
        body: json!({"error": {"message": message}}).to_string(),
        pace: Pace::AtOnce,
    }
}

fn chat(token: &str) -> Request {
    Request::post("/v1/chat/completions", "{}").bearer(token)
}
