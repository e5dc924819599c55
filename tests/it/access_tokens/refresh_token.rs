//! Refresh tokens that are taken once: the next one is kept before anything else is done with the answer.

use serde_json::json;

use crate::support::{TokenSetup, eventually};

#[test]
fn a_rotated_refresh_token_outlives_the_server() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 4, &json!({"refresh_policy": "proactive"}));
    let first = setup.idp.refresh_token("llm", "llm:read llm:invoke");
    setup.secrets.add(&first);
    setup.files.write_secret("llm", "refresh_token", &first);
    let mut world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    eventually("a second exchange", || (world.idp.tokens_issued("llm") >= 2).then_some(()));
    world.bouncer.restart();
    let before = world.idp.tokens_issued("llm");
    eventually("exchanges of the new server", || {
        (world.idp.tokens_issued("llm") >= before + 2).then_some(())
    });
    assert_eq!(world.ask("llm").status, 200);
    // One that was taken already would have ended the whole family.
    let exchanges = world.idp.exchanges("llm");
    assert!(exchanges.iter().all(|one| one.grant == "refresh_token" && one.error.is_none()), "{exchanges:?}");
}
