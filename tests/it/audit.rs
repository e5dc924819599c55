//! What the record says of credentials, read from the real server's file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Direct, Files, Issuer, eventually, new_key};

const KEY: &str = "a-fingerprint-key-of-the-case";

fn start(path: &str, prepare: impl FnOnce(&Files), key: Option<&str>) -> Direct {
    let direct = Direct::begin(Issuer::start(), prepare, |config| {
        config["audit"] = json!({"sinks": [{"type": "file", "path": path}]});
        if let Some(name) = key {
            config["audit"]["fingerprint_key"] = json!(name);
        }
    });
    direct.bouncer.serves();
    direct
}

fn file(direct: &Direct, name: &str) -> PathBuf {
    direct.bouncer.files().path(name)
}

/// The events in a file, of `provider`; none while it is not there.
fn events(direct: &Direct, name: &str, provider: &str) -> Vec<Value> {
    let text = fs::read_to_string(file(direct, name)).unwrap_or_default();
    direct.secrets.check("the audit", &text);
    // The last line may be on its way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["provider"] == provider).collect()
}

fn until(direct: &Direct, name: &str, provider: &str, count: usize) -> Vec<Value> {
    eventually("the events", || {
        let events = events(direct, name, provider);
        (events.len() >= count).then_some(events)
    })
}

fn rotate(direct: &Direct) {
    direct.bouncer.files().write_secret("openai", "api_key", &new_key(&direct.secrets));
    direct.bouncer.reload();
}

#[test]
fn a_rotation_of_a_key_is_in_the_file_once_and_without_the_key() {
    let mut direct = start("audit.jsonl", |_| {}, None);
    until(&direct, "audit.jsonl", "openai", 1);
    rotate(&direct);
    until(&direct, "audit.jsonl", "openai", 2);
    // Reading it again changes nothing.
    for reading in 1..=3 {
        direct.bouncer.files().write_secret("azure", "api_key", "");
        direct.bouncer.reload();
        let failed = ["provider=\"azure\"", "result=\"failed\""];
        direct.until_metric("bouncer_token_refresh_total", &failed, |count| count >= f64::from(reading));
    }
    direct.bouncer.process.signal(Signal::TERM);
    assert!(direct.bouncer.process.wait().success());

    let events_of = |provider| events(&direct, "audit.jsonl", provider);
    let [first, second] = events_of("openai").try_into().unwrap();
    for (event, reason) in [(&first, "first_use"), (&second, "secret_changed")] {
        assert_eq!(event["event"], "AI_PROVIDER_TOKEN_ROTATED");
        assert_eq!((&event["reason"], &event["source"]), (&json!(reason), &json!("secret")));
        assert_eq!((&event["provider_kind"], &event["auth_type"]), (&json!("openai"), &json!("api_key")));
        assert!(event["bouncer_id"].as_str().is_some_and(|host| !host.is_empty()));
        assert_eq!(event["new_token_id"].as_str().unwrap().len(), 16);
    }
    assert!(first["old_token_id"].is_null());
    assert_eq!(second["old_token_id"], first["new_token_id"]);
    let azure: Vec<_> = events_of("azure").iter().map(|event| event["event"].clone()).collect();
    assert_eq!(azure, ["AI_PROVIDER_TOKEN_ROTATED", "AI_PROVIDER_TOKEN_REFRESH_FAILED"], "told once");
    let names: BTreeSet<_> = first.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 15, "{names:?}");
}

#[test]
fn a_file_that_is_rotated_away_makes_room_for_another() {
    let direct = start("audit.jsonl", |_| {}, None);
    until(&direct, "audit.jsonl", "openai", 1);
    fs::rename(file(&direct, "audit.jsonl"), file(&direct, "audit.jsonl.1")).unwrap();
    rotate(&direct);
    assert_eq!(until(&direct, "audit.jsonl", "openai", 1)[0]["reason"], "secret_changed");
    assert_eq!(events(&direct, "audit.jsonl.1", "openai").len(), 1);
}

#[test]
fn events_wait_for_a_folder_that_is_not_there_yet() {
    let direct = start("later/audit.jsonl", |_| {}, None);
    direct.until_metric("bouncer_audit_pending", &[], |pending| pending >= 2.0);
    direct.until_metric("bouncer_audit_delivery_total", &["result=\"failed\""], |failed| failed >= 1.0);
    fs::create_dir(file(&direct, "later")).unwrap();
    assert_eq!(until(&direct, "later/audit.jsonl", "openai", 1).len(), 1);
    direct.until_metric("bouncer_audit_pending", &[], |pending| pending == 0.0);
    assert_eq!(direct.bouncer.metric("bouncer_audit_delivery_total", &["result=\"lost\""]), 0.0);
}

#[test]
fn with_a_key_of_the_installation_a_credential_has_the_same_id_after_a_start() {
    let key = "sk-the-same-key-at-both-starts";
    let id = |fingerprint_key: &str| {
        let prepare = |files: &Files| {
            files.write_secret("audit-key", "key", fingerprint_key);
            files.write_secret("openai", "api_key", key);
        };
        let direct = start("audit.jsonl", prepare, Some("audit-key"));
        direct.secrets.add(key);
        direct.secrets.add(fingerprint_key);
        until(&direct, "audit.jsonl", "openai", 1)[0]["new_token_id"].clone()
    };
    let first = id(KEY);
    assert_eq!(first, id(KEY));
    assert_ne!(first, id("another-fingerprint-key"));
}
