//! Refusals of every shape: what they are called, whose fault they are, whether another attempt helps, what is shown of them.

use super::super::testing::{GOOD, Idp, NOW, outward};
use super::super::{Fault, Token};
use super::*;
use crate::cache::{Failure as _, Retry};

async fn call(idp: &Idp) -> Result<Token, SourceError> {
    let url = idp.url("/token?secret=hunter2");
    let params = Params::default()
        .with("client_id", "me")
        .with_secret("client_secret", &Secret::new("correct horse battery staple".to_owned()));
    let call = TokenCall::post("token endpoint", &url, params, BodyFormat::Form)
        .with_header("authorization", Secret::new("Basic aHVudGVyMjpodW50ZXIy".to_owned()))
        .hiding(&Secret::new("hunter2 hunter2".to_owned()));
    outward().0.token(call, &[], &mut Legs::default()).await
}

#[tokio::test]
async fn t01_t02_statuses_and_codes_say_whether_another_attempt_helps() {
    let idp = Idp::start().await;
    let code = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    let (operator, remote) = ((Fault::Operator, Retry::WhenChanged), (Fault::Remote, Retry::Soon));
    for (status, body, expected) in [
        (400, code("invalid_request"), operator),
        (400, code("invalid_client"), operator),
        (401, code("invalid_client"), operator),
        (400, code("invalid_grant"), operator),
        (400, code("unauthorized_client"), operator),
        (400, code("unsupported_grant_type"), operator),
        (400, code("invalid_scope"), operator),
        (400, code("invalid_target"), operator),
        (400, code("interaction_required"), operator),
        (403, code("access_denied"), operator),
        (400, code("never_heard_of"), operator),
        (200, code("invalid_scope"), operator),
        (400, code("temporarily_unavailable"), remote),
        (400, code("server_error"), remote),
        (400, code("slow_down"), remote),
        (503, code("invalid_request"), remote),
        (429, code("whatever"), remote),
        (500, code("whatever"), remote),
        (400, String::new(), operator),
        (401, "<html>".to_owned(), operator),
        (403, "{}".to_owned(), operator),
        (404, "[]".to_owned(), operator),
        (408, String::new(), remote),
        (410, String::new(), remote),
        (425, String::new(), remote),
        (429, String::new(), remote),
        (500, String::new(), remote),
        (502, "<html>Bad Gateway</html>".to_owned(), remote),
        (503, String::new(), remote),
        (504, String::new(), remote),
        (204, String::new(), remote),
    ] {
        idp.says(&[(status, &body)]);
        let error = call(&idp).await.unwrap_err();
        assert_eq!((error.fault(), error.retry()), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn t01_retry_after_is_heard_in_both_forms_and_nonsense_is_not() {
    let idp = Idp::start().await;
    // 2027-01-15T08:01:00Z: a minute after the clock of these tests.
    assert_eq!(NOW.0, 1_800_000_000);
    for (value, expected) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("1000000000", Some(1_000_000_000)),
        ("99999999999999999999999", Some(u64::MAX)),
        ("Fri, 15 Jan 2027 08:01:00 GMT", Some(60)),
        ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        for (body, status) in [("", 503), (r#"{"error":"slow_down"}"#, 400)] {
            idp.says_with(status, &[("retry-after", value)], body);
            let retry = call(&idp).await.unwrap_err().retry();
            let expected = expected.map_or(Retry::Soon, |seconds| Retry::After(Duration::from_secs(seconds)));
            assert_eq!(retry, expected, "{value:?}");
        }
    }
    idp.says_with(401, &[("retry-after", "1")], r#"{"error":"invalid_client"}"#);
    assert_eq!(call(&idp).await.unwrap_err().retry(), Retry::WhenChanged, "no use to ask again in a second");
}

#[tokio::test]
async fn the_sentence_of_every_vendor_is_shown() {
    let idp = Idp::start().await;
    for (status, body, expected) in [
        (
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}"#,
            "invalid_client (status 401): AADSTS7000215: Invalid client secret provided.",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}"#,
            "other_error (status 403): Permission 'iam.serviceAccounts.getAccessToken' denied",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_grant","message":"no rule matches"}}"#,
            "invalid_grant (status 400): no rule matches",
        ),
        (400, r#"{"error":"invalid_scope","error_description":7}"#, "invalid_scope (status 400)"),
        (400, r#"{"error":7}"#, "answered with status 400"),
        (502, "<html>client_secret=hunter2</html>", "answered with status 502"),
    ] {
        idp.says(&[(status, body)]);
        let error = call(&idp).await.unwrap_err();
        assert_eq!(error.to_string(), format!("token endpoint at {}: {expected}", idp.origin));
    }
}

#[tokio::test]
async fn t22_a_server_that_repeats_what_was_sent_is_not_quoted() {
    let idp = Idp::start().await;
    for echo in [
        "wrong: correct horse battery staple!",
        "wrong: rrect hor",
        "header was Basic aHVudGVyMjpodW50ZXIy",
        "header was aHVudGVy…",
        "hunter2 hunter2 is wrong",
        "client_secret=correct+horse+battery+staple",
        &format!("{}correct horse battery staple", "x".repeat(250)),
        "\u{202e}correct\u{0} \u{200b}horse battery staple",
    ] {
        let body = serde_json::json!({"error": "invalid_client", "error_description": echo}).to_string();
        idp.says(&[(401, &body)]);
        let error = call(&idp).await.unwrap_err();
        assert!(error.to_string().ends_with("invalid_client (status 401)"), "{error}");
    }
    let body = serde_json::json!({"error": "invalid_client", "error_description": "Basic: client me \u{1b}[2J\r\nis not known"});
    idp.says(&[(401, &body.to_string())]);
    assert!(call(&idp).await.unwrap_err().to_string().ends_with(": Basic: client me [2Jis not known"));
}

#[tokio::test]
async fn an_error_names_the_origin_only_and_is_short() {
    let idp = Idp::start().await;
    let body = serde_json::json!({"error": "invalid_request", "error_description": "x".repeat(100_000)});
    idp.says(&[(400, &body.to_string())]);
    let error = call(&idp).await.unwrap_err();
    assert!(error.to_string().len() < 400);
    assert!(!format!("{error:?}{error}").contains("hunter2"));
}

#[tokio::test]
async fn every_leg_is_told_of_with_what_became_of_it() {
    let idp = Idp::start().await;
    let (outward, _) = outward();
    let url = idp.url("/token");
    let mut legs = Legs::default();
    for (status, body) in [(200, GOOD), (200, "{}"), (503, "")] {
        idp.says(&[(status, body)]);
        let call = TokenCall::get("token endpoint", &url);
        let _judged_below = outward.token(call, &[], &mut legs).await;
    }
    let told: Vec<_> =
        legs.iter().map(|leg| (leg.name, leg.to.as_str(), leg.succeeded, leg.lives.is_some())).collect();
    let to = idp.origin.as_str();
    let name = "token endpoint";
    assert_eq!(told, [(name, to, true, true), (name, to, false, false), (name, to, false, false)]);
}

#[tokio::test]
async fn a_call_to_metadata_reaches_nothing_else() {
    let (outward, _) = outward();
    let url = Url::parse("http://192.0.2.1/token").unwrap();
    let call = TokenCall::get("metadata", &url).at_metadata();
    let error = outward.call(call, &mut Legs::default()).await.unwrap_err();
    assert_eq!(error.kind, OutboundError::Forbidden.into());
    assert_eq!((error.fault(), error.retry()), (Fault::Operator, Retry::WhenChanged));
}
