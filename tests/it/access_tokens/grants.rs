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
        setup.files.mount_secret(name, "token", &token);
    }
    let changes = json!({
        "grant": "token_exchange", "subject_token": {"file": "secrets/subject/token"},
        "actor_token": {"file": "secrets/actor/token"},
    });
    setup.entry("llm", 600, &changes);
    let world = setup.start();
    assert_eq!(world.ask("llm").header("x-token-sub").unwrap(), "subject");
    let seen = world.seen();
    let token = seen[0].all("authorization").concat();
    assert_eq!(claims(token.strip_prefix("Bearer ").unwrap())["act"]["sub"], "actor");
}

#[test]
fn a_projected_token_that_is_refused_is_told_once_and_not_shown_again_and_again() {
    let (issuer, stranger) = (Issuer::start(), Issuer::start());
    let mut setup = TokenSetup::new();
    setup.idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    let subject = json!({"file": "secrets/pod/token"});
    setup.entry("llm", 600, &json!({"grant": "jwt_bearer", "subject_token": subject}));
    let wrong = stranger.token(&json!({"aud": setup.idp.issuer}));
    setup.secrets.add_token(&wrong);
    setup.files.mount_secret("pod", "token", &wrong);
    let world = setup.start();
    for _ in 0..20 {
        assert_eq!(world.ask("llm").status, 503);
    }
    let failures = eventually("the event", || Some(world.failures("llm")).filter(|all| !all.is_empty()));
    let (error, fault) = (&failures[0]["error"], &failures[0]["fault"]);
    assert_eq!((error, fault), (&json!("invalid_grant"), &json!("operator")));
    // RFC 6749's word may be about a file that was swapped meanwhile: one look more, and that is all.
    assert!(world.idp.exchanges("llm").len() <= 2);
    assert_eq!(failures.len(), 1);
}

#[test]
fn a_projected_token_that_comes_late_is_taken_when_it_is_there() {
    let issuer = Issuer::start();
    let mut setup = TokenSetup::new();
    setup.idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    let subject = json!({"file": "secrets/pod/token"});
    setup.entry("llm", 600, &json!({"grant": "token_exchange", "subject_token": subject}));
    let token = issuer.token(&json!({"aud": setup.idp.issuer, "sub": "pod"}));
    setup.secrets.add_token(&token);
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 503);
    let failures = eventually("the event", || Some(world.failures("llm")).filter(|all| !all.is_empty()));
    assert_eq!(failures[0]["error"], "unusable_material");
    assert!(world.idp.exchanges("llm").is_empty());
    world.bouncer.files().mount_secret("pod", "token", &token);
    eventually("service", || (world.ask("llm").status == 200).then_some(()));
    assert_eq!(world.seen()[0].all("x-token-sub"), ["pod"]);
}

fn grants(world: &TokenWorld, client: &str) -> Vec<String> {
    world.idp.exchanges(client).into_iter().map(|one| one.grant).collect()
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
