//! Two minutes of load over tokens that live for five seconds.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Log, SteadyLoad, TokenSetup, TokenWorld, eventually};

/// Seconds that a token lives.
const LIFE: u64 = 5;
/// Seconds of load.
const LOAD: u64 = 120;
/// Requests a second for each entry.
const RATE: u64 = 30;

/// With a life L, no token is renewed before L/2 of it is gone, and none is in use after L: in t seconds that is at least
/// t/L and at most 1 + t/(L/2) exchanges, whatever the policy. Each of them is one event, and no request is lost over any.
#[test]
fn two_minutes_of_load_over_five_second_tokens_lose_nothing_and_renew_no_more_than_needed() {
    let mut setup = TokenSetup::new();
    setup.log = Log::Usual;
    for policy in ["pre-expiry", "proactive", "lazy"] {
        setup.entry(policy, LIFE, &json!({"refresh_policy": policy}));
    }
    let began = Instant::now();
    let world = setup.start();
    let policies = ["pre-expiry", "proactive", "lazy"];
    let loads = policies.map(|policy| SteadyLoad::start(world.address(), policy, &world.caller, RATE, LOAD));
    for load in loads {
        load.lost_nothing();
    }

    for policy in policies {
        let issued = settled(&world, policy);
        let most = 1 + (began.elapsed().as_secs_f64() / (LIFE as f64 / 2.0)) as u64;
        assert!((LOAD / LIFE..=most).contains(&issued), "{policy}: {issued} exchanges, not {most}");
        assert_one_event_an_exchange(policy, &world.rotations(policy));
        assert_eq!(world.failures(policy), Vec::<Value>::new());
    }
    let seen = world.seen();
    assert_eq!(seen.len() as u64, 3 * RATE * LOAD);
    for policy in policies {
        let of = seen.iter().filter(|one| one.llm == policy);
        let used: BTreeSet<_> = of.map(|one| one.all("x-token-id").concat()).collect();
        assert!(used.len() as u64 >= LOAD / LIFE, "{policy}: {} tokens were used", used.len());
    }
}

/// How many exchanges there were, at a moment at which none is on its way: the identity provider, the counter and the audit
/// say the same.
fn settled(world: &TokenWorld, policy: &str) -> u64 {
    let label = format!("provider=\"{policy}\"");
    eventually("one event for each exchange", || {
        let before = world.idp.tokens_issued(policy);
        let events = world.rotations(policy).len();
        let counted = world.bouncer.metric("bouncer_token_refresh_total", &[&label, "result=\"ok\""]);
        let same = before == events && counted == events as f64 && world.idp.tokens_issued(policy) == before;
        same.then_some(before as u64)
    })
}

fn assert_one_event_an_exchange(policy: &str, events: &[Value]) {
    let (first, later) = match policy {
        "pre-expiry" => ("first_use", "pre_expiry"),
        "proactive" => ("proactive", "proactive"),
        _ => ("first_use", "lazy"),
    };
    assert_eq!((&events[0]["old_token_id"], &events[0]["reason"]), (&Value::Null, &json!(first)));
    for pair in events.windows(2) {
        assert_eq!(pair[0]["new_token_id"], pair[1]["old_token_id"], "{policy}");
        assert_eq!(pair[0]["new_expires_at"], pair[1]["old_expires_at"], "{policy}");
        assert_eq!(pair[1]["reason"], later, "{policy}");
    }
    let ids: BTreeSet<_> = events.iter().map(|event| event["new_token_id"].to_string()).collect();
    assert_eq!(ids.len(), events.len(), "{policy}");
}
