//! The identity provider is away: nobody notices before the last token's end, and everybody is served again at once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Load, TokenSetup, TokenWorld, eventually, unix_now};

/// The renewal falls due seven seconds before the end; the outage begins with the token and lasts beyond that: some twelve
/// seconds, longer than the margin.
fn lose_nothing_while(away: fn(&TokenWorld), back: fn(&TokenWorld)) {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 20, &json!({"refresh": {"margin": "7s"}}));
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    away(&world);
    let began = Instant::now();
    let load = Load::start_gently(world.address(), &world.request("llm"), 2);
    back(&world);
    assert!(began.elapsed() > Duration::from_secs(7), "not longer than the margin");
    eventually("a new token", || (world.rotations("llm").len() == 2).then_some(()));
    load.wait_for(5);
    let outcomes = load.stop();
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(200)), "{outcomes:?}");
    assert_eq!(world.rotations("llm")[1]["reason"], "pre_expiry");
    assert_eq!(world.idp.tokens_issued("llm"), 2);
}

#[test]
fn an_identity_provider_that_refuses_for_longer_than_the_margin_costs_no_request() {
    lose_nothing_while(
        |world| world.idp.stop(),
        |world| {
            eventually("a failure", || (!world.failures("llm").is_empty()).then_some(()));
            assert_eq!(world.failures("llm")[0]["error"], "unreachable");
            world.idp.start_again();
        },
    );
}

#[test]
fn an_identity_provider_that_hangs_for_longer_than_the_margin_costs_no_request() {
    lose_nothing_while(
        |world| world.idp.hang(),
        |world| {
            let end = expires_at(world);
            eventually("the last seconds", || (unix_now() > end - 2.5).then_some(()));
            world.idp.go_on();
        },
    );
}

#[test]
fn an_identity_provider_that_answers_with_errors_for_longer_than_the_margin_costs_no_request() {
    lose_nothing_while(
        |world| world.idp.fail(503),
        |world| {
            // It is tried again and again while there is time.
            eventually("failures", || (world.failures("llm").len() >= 2).then_some(()));
            assert_eq!(world.failures("llm")[0]["fault"], "remote");
            world.idp.repair();
        },
    );
}

#[test]
fn past_the_last_tokens_end_the_answer_is_503_and_the_way_back_is_short() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 5, &json!({}));
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    world.idp.stop();
    let last = eventually("the end", || {
        let before = unix_now();
        let answer = world.ask("llm");
        (answer.status != 200).then_some((before, answer))
    });
    // Not a moment before: the end is written in seconds, rounded down.
    assert!(last.0 > expires_at(&world) - 0.1, "{} s too soon", expires_at(&world) - last.0);
    let arrived = world.provider.arrived();
    for _ in 0..20 {
        let answer = world.ask("llm");
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("credential_unavailable")));
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&after), "{after}");
    }
    assert_eq!(world.provider.arrived(), arrived);
    // Taking every replica out would help nobody; the page says what is wrong.
    let ready = world.bouncer.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("degraded: provider llm: token not refreshed"), "{}", ready.text());

    world.idp.start_again();
    let back = Instant::now();
    eventually("service", || (world.ask("llm").status == 200).then_some(()));
    // No pause between attempts is longer than five seconds while nothing is held.
    assert!(back.elapsed() < Duration::from_secs(8), "{:?}", back.elapsed());
}

#[test]
fn behind_an_identity_provider_that_hangs_a_caller_gets_503_in_time() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 5, &json!({}));
    setup.entry("other", 600, &json!({}));
    let world = setup.start();
    assert_eq!(world.ask("other").status, 200);
    world.idp.hang();
    // Envoy would give up after five seconds with an answer of its own.
    let answer = world.ask("llm");
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("credential_unavailable")));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.ask("other").status, 200, "what is held serves on");
    world.idp.go_on();
    eventually("service", || (world.ask("llm").status == 200).then_some(()));
}

/// The end of the token in use, as the provider reads it.
fn expires_at(world: &TokenWorld) -> f64 {
    world.provider.origin.last_seen().unwrap().all("x-token-exp").concat().parse().unwrap()
}
