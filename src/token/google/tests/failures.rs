//! What becomes of refusals and of answers that are none.

use super::federation::{google, impersonating};
use super::*;
use crate::cache::{Failure as _, Retry};
use crate::outbound::OutboundError;
use crate::token::stub::Log;
use crate::token::{Fault, MaterialFault};

#[tokio::test]
async fn t01_t02_each_leg_s_refusal_says_what_it_is_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-canary").unwrap();
    let oauth = |code: &str| json!({"error": code, "error_description": "x"});
    let rpc = |code: u16, status: &str| json!({"error": {"code": code, "message": "x", "status": status}});
    for (leg, status, body, retry, fault, hinted) in [
        ("/v1/token", 400, oauth("invalid_grant"), Retry::WhenChanged, Fault::Operator, true),
        ("/v1/token", 400, oauth("invalid_target"), Retry::WhenChanged, Fault::Operator, true),
        ("/v1/token", 403, oauth("unauthorized_client"), Retry::WhenChanged, Fault::Operator, true),
        ("/v1/token", 400, oauth("invalid_scope"), Retry::WhenChanged, Fault::Operator, false),
        ("/v1/token", 503, json!({}), Retry::Soon, Fault::Remote, false),
        ("/v1/token", 429, rpc(429, "RESOURCE_EXHAUSTED"), Retry::Soon, Fault::Remote, false),
        ("iam", 403, rpc(403, "PERMISSION_DENIED"), Retry::WhenChanged, Fault::Operator, true),
        ("iam", 404, rpc(404, "NOT_FOUND"), Retry::WhenChanged, Fault::Operator, true),
        ("iam", 400, rpc(400, "INVALID_ARGUMENT"), Retry::WhenChanged, Fault::Operator, true),
        ("iam", 500, rpc(500, "INTERNAL"), Retry::Soon, Fault::Remote, false),
        ("iam", 503, json!([]), Retry::Soon, Fault::Remote, false),
    ] {
        let good = google(3_600, "2027-01-15T09:00:00Z", |_| true);
        let answer = body.clone();
        let server = Stub::start(move |seen| {
            let this = if leg == "iam" { seen.path != "/v1/token" } else { seen.path == leg };
            if this { Reply::Json(status, answer.clone()) } else { good(seen) }
        })
        .await;
        let file = impersonating(&server, json!({"file": path}), 600);
        let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
        let error = obtain(&source).await.0.unwrap_err();
        let name = if leg == "iam" { IMPERSONATION } else { STS };
        assert_eq!((error.leg, error.status()), (name, Some(status)));
        assert_eq!((error.retry(), error.fault(), error.hint().is_some()), (retry, fault, hinted), "{error}");
    }
}

#[tokio::test]
async fn a_key_s_refusal_and_a_machine_without_an_account_have_hints() {
    let key = rsa();
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let file = service_account(&server, &key.serialize_pem());
    let source = of(&settings(&server.url), &clock(), &[("service_account.json", &file)]);
    for (sentence, hint) in [
        (
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            "clock",
        ),
        ("Invalid JWT Signature.", "deleted"),
        ("Invalid grant: account not found", "deleted"),
    ] {
        let body = json!({"error": "invalid_grant", "error_description": sentence});
        server.answers(move |_| Reply::Json(400, body.clone()));
        let error = obtain(&source).await.0.unwrap_err();
        assert!(error.hint().unwrap().contains(hint), "{error}");
        assert_eq!(error.retry(), Retry::WhenChanged);
    }
    server.answers(|_| Reply::Text(404, Vec::new(), "not found".to_owned()));
    let error = obtain(&of(&settings(&server.url), &clock(), &[])).await.0.unwrap_err();
    assert!(error.hint().unwrap().contains("attach one"));
}

#[tokio::test]
async fn t19_a_subject_token_s_file_is_named_and_its_content_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let format = json!({"type": "json", "subject_token_field_name": "id_token"});
    let file = impersonating(&server, json!({"file": path, "format": format}), 600);
    let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
    for content in
        [None, Some(""), Some("canary"), Some(r#"{"id_token":["canary"]}"#), Some(r#"{"x":"canary"}"#)]
    {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => assert!(!path.exists()),
        }
        let error = obtain(&source).await.0.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(path.to_str().unwrap()) && !shown.contains("canary"), "{shown}");
        assert_eq!((error.leg, error.retry()), (SUBJECT, Retry::Soon), "it is being written, perhaps");
    }
    std::fs::write(&path, "x".repeat(1 << 20)).unwrap();
    let error = obtain(&source).await.0.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Material(MaterialFault::NotToken { .. })));
    assert!(server.seen().is_empty(), "without a subject nobody is asked");
}

#[tokio::test]
async fn t05_t10_t11_answers_that_lie_are_not_used_and_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-1").unwrap();
    let other = Stub::start(|_| success(TOKEN, 3_600)).await;
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let file = impersonating(&server, json!({"file": path}), 600);
    let account = service_account(&server, &rsa().serialize_pem());
    let fields =
        [&[("external_account.json", file.as_str())][..], &[("service_account.json", &account)], &[]];
    for fields in fields {
        let source = of(&settings(&server.url), &clock(), fields);
        for status in [301, 302, 303, 307, 308] {
            let to = other.url.to_string();
            server.answers(move |_| {
                Reply::Text(status, vec![("location".to_owned(), to.clone())], String::new())
            });
            assert!(matches!(obtain(&source).await.0.unwrap_err().kind, SourceErrorKind::Outbound(_)));
        }
        for body in
            ["", "canary", "[]", r#"{"access_token":"a b"}"#, r#"{"access_token":1}"#, &" ".repeat(2 << 20)]
        {
            let body = body.to_owned();
            server.answers(move |_| {
                Reply::Text(200, vec![("metadata-flavor".to_owned(), "Google".to_owned())], body.clone())
            });
            assert!(obtain(&source).await.0.is_err());
        }
    }
    assert!(other.seen().is_empty(), "a redirect is never followed");
    let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
    for token in [json!("a\r\nb"), json!(""), json!(["x"]), json!("x".repeat(20_000))] {
        server.answers(move |seen| match seen.path.as_str() {
            "/v1/token" => success("federated", 3_600),
            _ => Reply::Json(200, json!({"accessToken": token, "expireTime": "2027-01-15T09:00:00Z"})),
        });
        assert_eq!(obtain(&source).await.0.unwrap_err().leg, IMPERSONATION);
    }
}

#[tokio::test(start_paused = true)]
async fn t03_a_server_that_says_nothing_is_given_up() {
    let server = Stub::start(|_| Reply::Silence).await;
    let account = service_account(&server, &rsa().serialize_pem());
    for fields in [&[("service_account.json", account.as_str())][..], &[]] {
        let error = obtain(&of(&settings(&server.url), &clock(), fields)).await.0.unwrap_err();
        assert_eq!((error.code(), error.retry()), ("timeout", Retry::Soon));
    }
}

#[tokio::test(start_paused = true)]
async fn the_metadata_server_may_be_in_the_machine_s_own_segment() {
    // Nobody is there.
    let settings = settings(&Url::parse("http://169.254.0.1").unwrap());
    let error = obtain(&of(&settings, &clock(), &[])).await.0.unwrap_err();
    let unreached = [OutboundError::Connect, OutboundError::Timeout].map(SourceErrorKind::from);
    assert!(unreached.contains(&error.kind), "it was not even tried: {error}");
    assert!(error.hint().unwrap().contains("credential_ref"));
}

#[tokio::test]
async fn t22_no_secret_is_in_any_error_log_or_debug() {
    let log = Log::capture();
    let (key, folder) = (rsa(), tempfile::tempdir().unwrap());
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-canary").unwrap();
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let account = service_account(&server, &key.serialize_pem());
    let url = json!({"url": server.at("subject").as_str(), "headers": {"authorization": "header-canary"}});
    let files = [impersonating(&server, json!({"file": path}), 600), impersonating(&server, url, 600)];
    let external = files.iter().map(|file| vec![("external_account.json", file.as_str())]);
    let mut shown = String::new();
    for fields in external.chain([vec![("service_account.json", account.as_str())], vec![]]) {
        let source = of(&settings(&server.url), &clock(), &fields);
        for kind in 0..5 {
            let good = google(3_600, "2027-01-15T09:00:00Z", |_| true);
            server.answers(move |seen| match kind {
                0 if seen.path == "/subject" => Reply::Text(200, Vec::new(), "subject-canary".to_owned()),
                0 => good(seen),
                // The worst of servers says what it was told.
                1 => Reply::Json(
                    401,
                    json!({"error": "invalid_grant", "error_description": format!("{seen:?}")}),
                ),
                2 => Reply::Json(403, json!({"error": {"code": 403, "message": format!("{seen:?}")}})),
                3 if seen.path == "/v1/token" => success("federated-canary", 3_600),
                3 => Reply::Json(401, json!({"error": {"message": seen.header("authorization")}})),
                _ => Reply::Text(200, Vec::new(), format!("{seen:?}")),
            });
            let (token, legs) = obtain(&source).await;
            if let Err(error) = &token {
                shown += &format!("{error} {:?}", error.hint());
            }
            shown += &format!("{token:?} {legs:?} {source:?}");
        }
    }
    let log = log.text();
    assert!(log.contains("TRACE hyper_util"), "every crate spoke");
    shown += &log;
    assert!(shown.contains("invalid_grant"), "it was put down");
    for form in
        server.seen().iter().filter(|seen| seen.body.starts_with("grant_type=")).map(|seen| seen.form())
    {
        assert!(form.get("assertion").is_none_or(|assertion| !shown.contains(assertion)));
    }
    let pem = key.serialize_pem();
    for canary in ["canary", pem.lines().nth(1).unwrap(), TOKEN] {
        assert!(!shown.contains(canary), "{canary}");
    }
}
