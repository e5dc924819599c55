//! What becomes of refusals and of answers that are none.

use std::time::Duration;

use super::*;
use crate::cache::{Failure as _, Retry};
use crate::outbound::OutboundError;
use crate::token::stub::Log;
use crate::token::{Fault, SourceErrorKind};

const APP: [(&str, &str); 3] =
    [("tenant_id", "t"), ("client_id", "app-1"), ("client_secret", "canary-secret")];

fn refused(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description, "error_codes": [7_000_215],
        "timestamp": "2026-01-01 00:00:00Z", "trace_id": "x", "correlation_id": "y",
        "error_uri": "https://login.microsoftonline.com/error?code=7000215"})
}

async fn error(server: &Stub, fields: &[(&'static str, &str)]) -> SourceError {
    obtain(&of(&settings(&server.url), fields)).await.0.unwrap_err()
}

#[tokio::test]
async fn t02_numbers_are_hints_for_people_and_decide_nothing() {
    let sentence = "AADSTS7000222: The provided client secret keys for app 'app-1' are expired.";
    let server = Stub::start(|_| success()).await;
    let mut retries = Vec::new();
    for (description, hinted) in [(sentence, true), ("AADSTS1: x", false), ("", false)] {
        let body = refused("invalid_client", description);
        server.answers(move |_| Reply::Json(401, body.clone()));
        let error = error(&server, &APP).await;
        assert_eq!(error.hint().is_some(), hinted, "{error}");
        assert_eq!((error.code(), error.fault()), ("invalid_client", Fault::Operator));
        retries.push(error.retry());
    }
    assert_eq!(retries, [Retry::WhenChanged; 3]);
    let body = refused("temporarily_unavailable", sentence);
    server.answers(move |_| Reply::Json(400, body.clone()));
    assert_eq!(error(&server, &APP).await.retry(), Retry::Soon, "by its code, whatever the number says");
}

#[tokio::test]
async fn t01_a_server_that_is_ill_is_asked_again() {
    let server = Stub::start(|_| success()).await;
    for status in [500, 502, 503, 504, 429] {
        server.answers(move |_| {
            Reply::Text(status, vec![("retry-after".to_owned(), "7".to_owned())], "<html>".to_owned())
        });
        for fields in [&APP[..], &[]] {
            let error = error(&server, fields).await;
            assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)), "{status}");
            assert_eq!(error.fault(), Fault::Remote);
        }
    }
}

#[tokio::test]
async fn a_machine_that_has_its_identity_not_yet_is_asked_again_for_as_long_as_it_takes() {
    let server = Stub::start(|_| success()).await;
    for status in [404, 410, 429, 500, 503] {
        for body in ["", r#"{"error":"not_found","error_description":"no such endpoint"}"#] {
            server.answers(move |_| Reply::Text(status, Vec::new(), body.to_owned()));
            assert_eq!(
                error(&server, &[]).await.retry(),
                Retry::Soon,
                "{status}: such a pause has no last one"
            );
        }
    }
    let unknown = json!({"error": "invalid_request", "error_description": "Identity not found"});
    server.answers(move |_| Reply::Json(400, unknown.clone()));
    let unknown = error(&server, &[]).await;
    assert_eq!(unknown.retry(), Retry::WhenChanged);
    assert!(unknown.hint().unwrap().contains("assign it"));
    server.answers(|_| Reply::Text(404, Vec::new(), String::new()));
    assert_eq!(
        error(&server, &APP).await.retry(),
        Retry::WhenChanged,
        "of an application it is the authority"
    );
}

#[tokio::test]
async fn t05_t06_t09_t10_t11_answers_that_lie_are_not_used() {
    let server = Stub::start(|_| success()).await;
    let other = Stub::start(|_| success()).await;
    let elsewhere = other.url.to_string();
    let token = |changes: &[(&str, Value)]| {
        let mut body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN});
        for (name, value) in changes {
            body[*name] = value.clone();
        }
        body.to_string()
    };
    for body in [
        String::new(),
        "canary".to_owned(),
        "[]".to_owned(),
        token(&[])[..40].to_owned(),
        token(&[("access_token", json!(["x"]))]),
        token(&[("access_token", json!("a\r\nb"))]),
        token(&[("access_token", json!("x".repeat(20_000)))]),
        token(&[("expires_in", json!(-1))]),
        token(&[("expires_in", json!(true))]),
        token(&[("expires_on", json!("soon")), ("expires_in", Value::Null)]),
        token(&[("token_type", json!("pop"))]),
        " ".repeat(2 << 20),
    ] {
        let text = body.clone();
        server.answers(move |_| Reply::Text(200, Vec::new(), text.clone()));
        for fields in [&APP[..], &[]] {
            assert!(obtain(&of(&settings(&server.url), fields)).await.0.is_err(), "{body:.60}");
        }
    }
    for status in [301, 302, 307, 308] {
        let to = elsewhere.clone();
        server
            .answers(move |_| Reply::Text(status, vec![("location".to_owned(), to.clone())], String::new()));
        for fields in [&APP[..], &[]] {
            assert!(matches!(error(&server, fields).await.kind, SourceErrorKind::Outbound(_)));
        }
    }
    assert!(other.seen().is_empty(), "a redirect is never followed");
}

#[tokio::test(start_paused = true)]
async fn the_metadata_service_may_be_in_the_machine_s_own_segment_and_an_authority_not() {
    // Nobody is there.
    let settings = settings(&Url::parse("http://169.254.0.1").unwrap());
    let error = obtain(&of(&settings, &[])).await.0.unwrap_err();
    let unreached = [OutboundError::Connect, OutboundError::Timeout].map(SourceErrorKind::from);
    assert!(unreached.contains(&error.kind), "it was not even tried: {error}");
    assert!(error.hint().unwrap().contains("credential_ref"));
    let error = obtain(&of(&settings, &APP)).await.0.unwrap_err();
    assert!(!unreached.contains(&error.kind), "{error}");
}

#[tokio::test]
async fn t22_no_secret_is_in_any_error_log_or_debug() {
    let log = Log::capture();
    let pair = pair();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "canary-assertion").unwrap();
    let server = Stub::start(|_| success()).await;
    let app = [("tenant_id", "t"), ("client_id", "app-1")];
    let certificate = [("certificate", pair.certificate.as_str()), ("private_key", pair.key.as_str())];
    let federated = [("federated_token_file", path.to_str().unwrap())];
    let mut shown = String::new();
    for fields in [APP.to_vec(), [&app[..], &certificate].concat(), [&app[..], &federated].concat(), vec![]] {
        let source = of(&settings(&server.url), &fields);
        shown += &format!("{source:?}");
        for kind in 0..4 {
            server.answers(move |seen| match kind {
                0 => success(),
                // The worst of servers says what it was told.
                1 => Reply::Json(401, refused("invalid_client", &format!("AADSTS1: {}", seen.body))),
                2 => Reply::Json(400, json!({"error": seen.body})),
                _ => Reply::Text(200, Vec::new(), seen.body.clone()),
            });
            let (token, legs) = obtain(&source).await;
            if let Err(error) = &token {
                shown += &format!("{error} {:?}", error.hint());
            }
            shown += &format!("{token:?} {legs:?}");
        }
    }
    let log = log.text();
    assert!(log.contains("TRACE hyper_util"), "every crate spoke");
    shown += &log;
    assert!(shown.contains("invalid_client"), "it was put down");
    let assertions = server.seen();
    let assertions = assertions.iter().filter(|seen| seen.method == "POST").map(|seen| seen.form());
    for assertion in assertions.filter_map(|form| form.get("client_assertion").cloned()) {
        assert!(!shown.contains(&assertion));
    }
    let key_line = pair.key.lines().nth(1).unwrap();
    for canary in ["canary", key_line, TOKEN] {
        assert!(!shown.contains(canary), "{canary}");
    }
}

#[tokio::test(start_paused = true)]
async fn t03_a_server_that_says_nothing_is_given_up() {
    let server = Stub::start(|_| Reply::Silence).await;
    for fields in [&APP[..], &[]] {
        let error = error(&server, fields).await;
        assert_eq!((error.code(), error.retry()), ("timeout", Retry::Soon));
    }
}
