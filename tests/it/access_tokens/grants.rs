//! A workload's own token, kept fresh in a file by somebody else, for a token of the provider's.

use serde_json::{Value, json};

use crate::support::{Issuer, Placement, TokenSetup, TokenWorld, eventually};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[test]
fn a_projected_token_is_read_again_for_each_exchange() {
    let issuer = Issuer::start();
    let mut setup = TokenSetup::new();
    setup.placement = Placement::Pair;
    setup.idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    for (name, grant) in [("exchange", "token_exchange"), ("bearer", "jwt_bearer")] {
        let subject = json!({"file": "secrets/pod/token"});
        setup.entry(name, 4, &json!({"grant": grant, "subject_token": subject}));
    }
    let own = |pod: &str| {
        let token = issuer.token(&json!({"aud": setup.idp.issuer, "sub": pod}));
        setup.secrets.add_token(&token);
        token
    };
    let (first, second) = (own("pod-1"), own("pod-2"));
    setup.files.mount_secret("pod", "token", &format!("{first}\n"));
    let world = setup.start();
    for name in ["exchange", "bearer"] {
        assert_eq!(world.ask(name).header("x-token-sub").unwrap(), "pod-1", "{name}");
    }
    // The kubelet's way: `..data` is swapped. The next exchange shows the new one.
    world.bouncer.files().mount_secret("pod", "token", &second);
    for name in ["exchange", "bearer"] {
        eventually("the new token", || {
            let answer = world.ask(name);
            assert_eq!(answer.status, 200);
            (answer.header("x-token-sub").unwrap() == "pod-2").then_some(())
        });
    }
    assert!(grants(&world, "exchange").iter().all(|grant| grant == EXCHANGE));
    assert!(grants(&world, "bearer").iter().all(|grant| grant == BEARER));
    assert_eq!(world.rotations("exchange")[0]["source"], "token_exchange");
    assert_eq!(world.rotations("bearer")[0]["source"], "jwt_bearer");
}

#[test]
fn one_who_acts_for_another_is_in_the_token() {
    let issuer = Issuer::start();
    let mut setup = TokenSetup::new();
    setup.idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    for name in ["subject", "actor"] {
        let token = issuer.token(&json!({"aud": setup.idp.issuer, "sub": name}));
        setup.secrets.add_token(&token);
        setup.files.mount_secret("pod", name, &token);
    }
    let changes = json!({
        "grant": "token_exchange", "subject_token": {"file": "secrets/pod/subject"},
        "actor_token": {"file": "secrets/pod/actor"},
    });
    setup.entry("llm", 600, &changes);
    let world = setup.start();
    assert_eq!(world.ask("llm").header("x-token-sub").unwrap(), "subject");
    let seen = world.seen();
    let token = seen[0].all("authorization").concat();
    assert_eq!(claims(token.strip_prefix("Bearer ").unwrap())["act"]["sub"], "actor");
}

#[test]
fn a_projected_token_that_is_refused_is_told_and_a_good_one_mends_it() {
    let (issuer, stranger) = (Issuer::start(), Issuer::start());
    let mut setup = TokenSetup::new();
    setup.idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    let subject = json!({"file": "secrets/pod/token"});
    setup.entry("llm", 600, &json!({"grant": "jwt_bearer", "subject_token": subject}));
    let token = |of: &Issuer| {
        let token = of.token(&json!({"aud": setup.idp.issuer}));
        setup.secrets.add_token(&token);
        token
    };
    let (wrong, right) = (token(&stranger), token(&issuer));
    setup.files.mount_secret("pod", "token", &wrong);
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 503);
    let failure = &world.failures("llm")[0];
    assert_eq!((&failure["error"], &failure["fault"]), (&json!("invalid_grant"), &json!("operator")));
    world.bouncer.files().mount_secret("pod", "token", &right);
    world.bouncer.reload();
    eventually("service", || (world.ask("llm").status == 200).then_some(()));
}

fn grants(world: &TokenWorld, client: &str) -> Vec<String> {
    world.idp.exchanges(client).into_iter().map(|one| one.grant).collect()
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
