//! What the tokens are made of changes: the client's secret, and the issuer's keys.

use serde_json::json;

use crate::support::{SteadyLoad, TokenSetup, TokenWorld, eventually, workload};

#[test]
fn a_client_secret_that_is_rotated_under_load_costs_one_exchange_and_no_request() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 600, &json!({}));
    let new = setup.new_secret();
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    let mut load = SteadyLoad::start(world.address(), "llm", &world.caller, 50, 8);
    world.idp.add_workload("llm", &workload(600, &new, "client_secret_basic"));
    // As the kubelet does it: whatever is read meanwhile is the old one or the new one.
    world.bouncer.files().write_secret("llm", "client_secret", &new);
    eventually("the new token", || (world.rotations("llm").len() == 2).then_some(()));
    let old = &world.rotations("llm")[0]["new_token_id"];
    eventually("a request with it", || {
        let seen = world.seen();
        let ids: std::collections::BTreeSet<_> =
            seen.iter().map(|one| one.all("x-token-id").concat()).collect();
        (ids.len() == 1 && !seen.is_empty()).then_some(())
    });
    assert!(load.goes_on(), "the load was over too soon");
    load.lost_nothing();
    let events = world.rotations("llm");
    assert_eq!((&events[1]["reason"], &events[1]["old_token_id"]), (&json!("secret_changed"), old));
    assert_eq!((events.len(), world.idp.exchanges("llm").len()), (2, 2));
    assert!(world.failures("llm").is_empty());
}

#[test]
fn a_wrong_client_secret_takes_nothing_away_and_the_right_one_counts_at_once() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 600, &json!({}));
    let (wrong, right) = (setup.new_secret(), setup.new_secret());
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    world.bouncer.files().write_secret("llm", "client_secret", &wrong);
    eventually("the failure", || (!world.failures("llm").is_empty()).then_some(()));
    let failure = &world.failures("llm")[0];
    assert_eq!(
        (&failure["error"], &failure["fault"], &failure["reason"]),
        (&json!("invalid_client"), &json!("operator"), &json!("secret_changed"))
    );
    for _ in 0..20 {
        assert_eq!(world.ask("llm").status, 200);
    }
    // It is not asked again and again for what only the operator can mend.
    assert_eq!(refused(&world), 1);
    world.idp.add_workload("llm", &workload(600, &right, "client_secret_basic"));
    world.bouncer.files().write_secret("llm", "client_secret", &right);
    eventually("the new token", || (world.rotations("llm").len() == 2).then_some(()));
    assert_eq!(world.rotations("llm")[1]["reason"], "secret_changed");
    assert_eq!(refused(&world), 1);
    assert_eq!(world.ask("llm").status, 200);
}

#[test]
fn keys_of_the_issuer_that_are_rotated_under_load_cost_no_request() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 4, &json!({}));
    let world = setup.start();
    assert_eq!(world.ask("llm").status, 200);
    let mut load = SteadyLoad::start(world.address(), "llm", &world.caller, 50, 16);
    world.idp.announce_keys();
    let fetched = world.idp.count("jwks");
    // Two: the first one may have been on its way.
    eventually("the new keys at the provider", || (world.idp.count("jwks") > fetched + 1).then_some(()));
    world.idp.sign_with_announced_keys();
    // The one after the next was asked for with the new keys, and the one that it replaced was too.
    let rotated = world.rotations("llm").len();
    eventually("new tokens", || (world.rotations("llm").len() >= rotated + 2).then_some(()));
    world.idp.drop_old_keys();
    let rotated = world.rotations("llm").len();
    eventually("one more", || (world.rotations("llm").len() > rotated).then_some(()));
    assert!(load.goes_on(), "the load was over too soon");
    load.lost_nothing();
}

fn refused(world: &TokenWorld) -> usize {
    world.idp.exchanges("llm").iter().filter(|one| one.error.is_some()).count()
}
