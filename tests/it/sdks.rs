//! Unmodified SDKs: their users see the model's answer, or the sentence that says why not.

use std::process::Command;

use serde_json::Value;

use crate::support::{Placement, Version, World, tool};

/// Each SDK with the service that it asks.
const SDKS: [(&str, &str); 3] = [("openai", "openai"), ("azure", "azure"), ("anthropic", "anthropic")];

#[test]
fn the_sdks_get_answers() {
    for (placement, version) in [(Placement::Downstream, Version::Oldest), (Placement::Pair, Version::Newest)]
    {
        let world = World::start(placement, version);
        for (sdk, llm) in SDKS {
            let shown = ask(&world, sdk, llm, &world.token("alice"));
            assert_eq!(shown["text"], "Hello.", "{sdk}: {shown}");
            let seen = world.seen();
            assert_eq!(seen.len(), 1, "{sdk}");
            assert_eq!(seen[0].llm, llm);
        }
    }
}

#[test]
fn the_sdks_show_why_not() {
    let world = World::start(Placement::Downstream, Version::Newest);
    for (sdk, llm) in SDKS {
        let shown = ask(&world, sdk, llm, &world.token_for("alice", "other"));
        assert_eq!(shown["class"], "AuthenticationError", "{shown}");
        assert_eq!(shown["status"], 401);
        assert_eq!(shown["challenge"], r#"Bearer error="invalid_token""#);
        assert!(sentence(&shown).contains("token"), "{shown}");
    }
    assert_eq!(world.provider.arrived(), 0);
}

#[test]
fn an_sdk_is_asked_to_step_up_and_then_is_served() {
    let world = World::start(Placement::ExtAuthz, Version::Newest);
    let shown = ask(&world, "openai", "openai-mfa", &world.token("alice"));
    assert_eq!(shown["status"], 401, "{shown}");
    assert!(sentence(&shown).contains("insufficient_user_authentication"), "{shown}");
    assert!(shown["challenge"].as_str().unwrap().contains(r#"acr_values="urn:example:mfa""#), "{shown}");
    let shown = ask(&world, "openai", "openai-mfa", &world.token("alice-mfa"));
    assert_eq!(shown["text"], "Hello.", "{shown}");
}

fn ask(world: &World, sdk: &str, llm: &str, token: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/ask.py");
    let path = if sdk == "openai" { "/v1" } else { "" };
    let base_url = format!("http://{}{path}", world.address());
    let output = Command::new(tool("sdks/bin/python"))
        .args([script, sdk, &base_url, &World::domain(llm)])
        .env("TOKEN", token)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sdk}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    world.secrets.check("what the SDK shows", &text);
    serde_json::from_str(&text).unwrap()
}

fn sentence(shown: &Value) -> &str {
    shown["sentence"].as_str().unwrap()
}
