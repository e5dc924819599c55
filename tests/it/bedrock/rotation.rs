//! Keys, regions and services that change while requests are signed: every signature is of one piece (THREATS S06, S08).

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::wiring::{PROMPT, converse};
use super::{VERSIONS, user};
use crate::support::aws::{AccessKey, Fault, SigningSetup, SigningWorld};
use crate::support::{Files, Load, Placement, Request, Version, eventually};

fn mount(files: &Files, key: &AccessKey) {
    let token = key.token.as_ref().map(|token| ("session_token", token.as_str()));
    let values = [("access_key_id", key.id.as_str()), ("secret_access_key", key.secret.as_str())];
    files.mount_secrets("bedrock", &[&values[..], token.as_slice()].concat());
}

fn with_token(name: &str) -> AccessKey {
    AccessKey { token: Some(format!("session-token-of-{name}")), ..user(name) }
}

fn world(placement: Placement, version: Version, key: AccessKey) -> SigningWorld {
    let own = key.clone();
    let setup = SigningSetup {
        key,
        configure: Box::new(move |config, files| {
            mount(files, &own);
            config["audit"] = json!({"sinks": [{"type": "file", "path": "audit.jsonl"}]});
        }),
        ..SigningSetup::new(placement, version)
    };
    setup.start()
}

/// The audit's events of rotations: their reasons.
fn rotations(world: &SigningWorld) -> Vec<String> {
    let text = fs::read_to_string(world.bouncer.files().path("audit.jsonl")).unwrap_or_default();
    world.secrets.check("the audit", &text);
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = events.filter(|event| event["event"] == "AI_PROVIDER_TOKEN_ROTATED");
    events.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Takes what arrived, every signature of it good, and says which keys made them.
fn keys(world: &SigningWorld) -> BTreeSet<String> {
    world.bedrock.take().iter().map(|call| call.verified().access_key_id.clone()).collect()
}

#[test]
fn s06_no_request_fails_and_no_signature_is_mixed_while_keys_are_swapped_under_load() {
    for (version, placement) in [(Version::Oldest, Placement::Downstream), (Version::Newest, Placement::Pair)]
    {
        let both = [with_token("FIRST"), with_token("SECOND")];
        let world = world(placement, version, both[0].clone());
        both.iter().for_each(|key| world.bedrock.know(key));
        world.secrets.add(&both[1].secret);
        world.secrets.add(both[1].token.as_deref().unwrap());
        let request = Request::post(&converse(), PROMPT).bearer(&world.token("alice"));
        let request = request.header("host", "bedrock.llm.example");
        let load = Load::start_gently(world.address(), &request, 4);
        load.wait_for(20);
        assert_eq!(rotations(&world).len(), 1, "the first one");
        assert_eq!(keys(&world), BTreeSet::from([both[0].id.clone()]));
        for (n, key) in [&both[1], &both[0], &both[1]].into_iter().enumerate() {
            mount(world.bouncer.files(), key);
            eventually("the new key", || keys(&world).contains(&key.id).then_some(()));
            // Those that were on their way with the key before are gone by and by.
            eventually("the new key alone", || {
                load.wait_for(20);
                (keys(&world) == BTreeSet::from([key.id.clone()])).then_some(())
            });
            eventually("its record", || (rotations(&world).len() >= n + 2).then_some(()));
            assert_eq!(rotations(&world).len(), n + 2, "one a swap");
        }
        let outcomes = load.stop();
        assert!(
            outcomes.iter().all(|outcome| *outcome == Ok(200)),
            "{version:?} {placement:?}: {outcomes:?}"
        );
        keys(&world);
        assert!(rotations(&world)[1..].iter().all(|reason| reason == "secret_changed"));
    }
}

#[test]
fn s08_no_signature_is_made_with_what_was_derived_from_an_earlier_secret_region_or_service() {
    for version in VERSIONS {
        let key = user("SAME");
        let world = world(Placement::Downstream, version, key.clone());
        let ask = || {
            let answer = world.ask(Request::post(&converse(), PROMPT));
            (answer.status, world.bedrock.take().pop().unwrap())
        };
        assert_eq!(ask().0, 200);
        // The same id with another secret, as after a secret that was written wrongly.
        let other = AccessKey { secret: "the-right-one-at-last".to_owned(), ..key };
        world.secrets.add(&other.secret);
        world.bedrock.know(&other);
        assert_eq!(ask().0, 502);
        mount(world.bouncer.files(), &other);
        eventually("the other secret", || (ask().0 == 200).then_some(()));

        let path = world.bouncer.files().path("bouncer.yaml");
        let good: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for (name, value) in [("region", "us-west-2"), ("service", "bedrock-mantle")] {
            let mut changed = good.clone();
            changed["providers"][0]["aws"][name] = json!(value);
            world.bouncer.files().write("bouncer.yaml", &changed.to_string());
            let scope = format!("/{value}/");
            eventually(name, || match ask() {
                (502, call) => {
                    let fault = call.verdict.unwrap_err();
                    assert!(matches!(&fault, Fault::Scope(said) if said.contains(&scope)), "{fault:?}");
                    Some(())
                }
                (status, _) => {
                    assert_eq!(status, 200);
                    None
                }
            });
            world.bouncer.files().write("bouncer.yaml", &good.to_string());
            eventually(name, || (ask().0 == 200).then_some(()));
        }
    }
}
