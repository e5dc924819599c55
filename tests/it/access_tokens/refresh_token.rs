//! Refresh tokens that are taken once: the next one is kept before anything else is done with the answer.

use serde_json::json;

use crate::support::{TokenSetup, TokenWorld, eventually, unix_now};

/// A token that is renewed after two seconds, by a refresh token that is taken once.
fn world() -> TokenWorld {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 4, &json!({"refresh_policy": "proactive"}));
    let first = setup.idp.refresh_token("llm", "llm:read llm:invoke");
    setup.secrets.add(&first);
    setup.files.write_secret("llm", "refresh_token", &first);
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    world
}

/// One that was taken already would have ended the whole family.
fn goes_on(world: &TokenWorld) {
    let before = world.idp.tokens_issued("llm");
    eventually("exchanges of the new server", || {
        (world.idp.tokens_issued("llm") >= before + 2).then_some(())
    });
    assert_eq!(world.ask("llm").status, 200);
    let exchanges = world.idp.exchanges("llm");
    assert!(exchanges.iter().all(|one| one.grant == "refresh_token" && one.error.is_none()), "{exchanges:?}");
}

#[test]
fn a_rotated_refresh_token_outlives_the_server() {
    let mut world = world();
    eventually("a second exchange", || (world.rotations("llm").len() >= 2).then_some(()));
    world.bouncer.restart(|| {});
    goes_on(&world);
}

/// The identity provider took the old one and the new one is on its way: whoever goes now goes without either.
#[test]
fn a_server_that_is_told_to_end_waits_for_the_refresh_token_that_is_on_its_way() {
    let mut world = world();
    let second = eventually("the second token", || world.rotations("llm").into_iter().nth(1));
    world.idp.hang();
    let began = unix_now();
    // It was obtained moments ago, and is renewed two seconds after.
    eventually("the renewal", || (unix_now() > began + 2.5).then_some(()));
    let TokenWorld { bouncer, idp, .. } = &mut world;
    bouncer.restart(|| idp.go_on());
    assert!(second["new_token_id"].is_string());
    goes_on(&world);
}
