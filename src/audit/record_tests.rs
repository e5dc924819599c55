//! Tests of `record.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::audit::{RefreshFailed, Rotated};
use crate::base::{FingerprintKey, Secret};
use crate::cache::Reason;
use crate::provider::{AuthType, ProviderKind};

const MILLIS: u64 = 1_798_675_200_123;

fn subject(provider: &str) -> Subject<'_> {
    Subject { provider, kind: ProviderKind::OpenAi, auth: AuthType::OAuth2 }
}

fn written(host: &str, provider: &str, event: &Event<'_>) -> (Value, String) {
    let (id, correlation) = (Id::new(MILLIS), Id::new(MILLIS));
    let head = Head { id, millis: MILLIS, correlation, bouncer_id: host };
    let line = line(&head, subject(provider), event).unwrap().to_string();
    let json: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&json["id"], &json["correlation_id"]),
        (&json!(id.to_string()), &json!(correlation.to_string()))
    );
    (json, line)
}

fn rotated<'a>(scopes: &'a [Box<str>]) -> Event<'a> {
    let key = FingerprintKey::new(&Secret::new(vec![7; 32]));
    Event::Rotated(Rotated {
        reason: Reason::PreExpiry,
        old: Some(key.of(b"old")),
        new: key.of(b"new"),
        old_expires_at: Some(UnixTime(1_798_675_260)),
        new_expires_at: Some(UnixTime(1_798_678_800)),
        scopes,
        source: "client_credentials",
        role: None,
    })
}

fn without_ids(mut json: Value) -> Value {
    for name in ["id", "correlation_id"] {
        json.as_object_mut().unwrap().remove(name).unwrap();
    }
    json
}

/// INTERFACE section 6, field by field: nothing is missing and nothing else is there.
#[test]
fn a_rotation_has_exactly_the_promised_fields() {
    let scopes = ["llm:read".into(), "llm:invoke".into()];
    let (json, line) = written("bouncer-0", "openai", &rotated(&scopes));
    let key = FingerprintKey::new(&Secret::new(vec![7; 32]));
    let expected = json!({
        "event": "AI_PROVIDER_TOKEN_ROTATED",
        "time": "2026-12-31T00:00:00.123Z",
        "bouncer_id": "bouncer-0",
        "provider": "openai",
        "provider_kind": "openai",
        "auth_type": "oauth2",
        "reason": "pre_expiry",
        "old_token_id": key.of(b"old").to_string(),
        "new_token_id": key.of(b"new").to_string(),
        "old_expires_at": "2026-12-31T00:01:00Z",
        "new_expires_at": "2026-12-31T01:00:00Z",
        "scopes": ["llm:read", "llm:invoke"],
        "source": "client_credentials",
    });
    assert_eq!(without_ids(json), expected);
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
}

#[test]
fn keys_of_a_role_name_it() {
    let Event::Rotated(rotated) = rotated(&[]) else { unreachable!() };
    let role = "arn:aws:iam::123456789012:role/bedrock";
    let (json, _) = written("h", "p", &Event::Rotated(Rotated { role: Some(role), ..rotated }));
    assert_eq!(json["role"], json!(role));
}

#[test]
fn a_first_credential_has_nothing_before_it() {
    let Event::Rotated(rotated) = rotated(&[]) else { unreachable!() };
    let first = Rotated { old: None, old_expires_at: None, new_expires_at: None, ..rotated };
    let (json, _) = written("h", "p", &Event::Rotated(first));
    for name in ["old_token_id", "old_expires_at", "new_expires_at"] {
        assert_eq!(json.get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(json["scopes"], json!([]));
}

#[test]
fn a_failure_has_exactly_the_promised_fields() {
    let failed = RefreshFailed {
        reason: Reason::SecretChanged,
        error: "invalid_client",
        fault: Fault::Operator,
        attempt: 3,
        next_in: Some(Duration::from_millis(60_900)),
        expires_at: None,
    };
    let (json, _) = written("h", "p", &Event::RefreshFailed(failed));
    let expected = json!({
        "event": "AI_PROVIDER_TOKEN_REFRESH_FAILED",
        "time": "2026-12-31T00:00:00.123Z",
        "bouncer_id": "h",
        "provider": "p",
        "provider_kind": "openai",
        "auth_type": "oauth2",
        "reason": "secret_changed",
        "error": "invalid_client",
        "fault": "operator",
        "attempt": 3,
        "next_attempt_at": "2026-12-31T00:01:01.023Z",
        "expires_at": null,
    });
    assert_eq!(without_ids(json), expected);
}

/// THREATS L01: whatever a server, a host or a file calls itself.
#[test]
fn hostile_text_is_one_line_of_bounded_ascii_controls() {
    let hostile = "a\r\nb\u{1b}[2J\u{202e}c\u{2028}\u{85}\u{7f}\u{0}\",\"event\":\"X\u{e0041}";
    let long = "é".repeat(51_200);
    let scopes: Vec<Box<str>> =
        [hostile.into(), long.as_str().into()].into_iter().chain((0..1_000).map(|_| "s".into())).collect();
    let (json, line) = written(hostile, hostile, &rotated(&scopes));
    assert_eq!(json["event"], "AI_PROVIDER_TOKEN_ROTATED");
    // What is read back is what was there: nothing is taken away, and nothing becomes something else.
    for text in [&json["provider"], &json["bouncer_id"], &json["scopes"][0]] {
        assert_eq!(text, hostile);
    }
    assert!(line.trim_end_matches('\n').chars().all(|c| !is_unseen(c)), "{line}");
    assert!(line.contains(r"\u202e") && line.contains(r"\udb40\udc41") && line.contains(r"\u001b"));
    let cut = json["scopes"][1].as_str().unwrap();
    assert!(cut.starts_with("éé") && cut.contains("102400 bytes, sha256 ") && cut.len() < 320, "{cut}");
    assert_eq!(json["scopes"].as_array().unwrap().len(), MOST_SCOPES);
    assert!(line.len() < 4_096, "{}", line.len());
}
