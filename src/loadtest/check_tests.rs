//! Good and bad answers of both protocols, and what is said of each.

#![allow(deprecated, reason = "`append` is what some Envoys read")]

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::service::auth::v3::{DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::pb::google::rpc::Status;

use super::*;

const TOKEN: &[u8] = b"head.claims.signature";
const OVERWRITE: HeaderAppendAction = HeaderAppendAction::OverwriteIfExistsOrAdd;

fn judge(protocol: Protocol, expectation: Expectation) -> Judge {
    Judge::new(protocol, expectation, "authorization".to_owned())
}

fn raw(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
    let header =
        HeaderValue { key: name.to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() };
    HeaderValueOption { header: Some(header), append_action: action.into(), ..HeaderValueOption::default() }
}

fn common(set: Vec<HeaderValueOption>, removed: &[&str]) -> CommonResponse {
    let remove_headers = removed.iter().map(|&name| name.to_owned()).collect();
    let mutation = HeaderMutation { set_headers: set, remove_headers };
    CommonResponse { header_mutation: Some(mutation), ..CommonResponse::default() }
}

fn processed(response: Response) -> Bytes {
    ProcessingResponse { response: Some(response), ..ProcessingResponse::default() }.encode_to_vec().into()
}

fn headers(set: Vec<HeaderValueOption>, removed: &[&str]) -> Bytes {
    processed(Response::RequestHeaders(HeadersResponse { response: Some(common(set, removed)) }))
}

fn immediate(status: i32) -> Bytes {
    processed(Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: status }),
        details: "bouncer_forbidden".to_owned(),
        ..ImmediateResponse::default()
    }))
}

fn allowed(set: Vec<HeaderValueOption>, removed: &[&str]) -> Bytes {
    let ok = OkHttpResponse {
        headers: set,
        headers_to_remove: removed.iter().map(|&name| name.to_owned()).collect(),
        ..OkHttpResponse::default()
    };
    CheckResponse {
        status: Some(Status::default()),
        http_response: Some(HttpResponse::OkResponse(ok)),
        ..CheckResponse::default()
    }
    .encode_to_vec()
    .into()
}

fn text(name: &str, value: &str) -> HeaderValueOption {
    let header = HeaderValue { key: name.to_owned(), value: value.to_owned(), raw_value: Vec::new() };
    HeaderValueOption { header: Some(header), ..HeaderValueOption::default() }
}

#[track_caller]
fn outcome(judge: &mut Judge, message: &Bytes) -> Outcome {
    match judge.judge(&Bytes::new(), message, Some(TOKEN)) {
        Verdict::Settled(judgement) => judgement.outcome,
        Verdict::WantsBody => panic!("a body is wanted"),
    }
}

/// A permit of ext_proc's that is to be wrong for a reason that has `why` in it; with an empty one it is to be right.
#[track_caller]
fn check(why: &str, set: Vec<HeaderValueOption>, removed: &[&str]) {
    is(why, outcome(&mut judge(Protocol::ExtProc, Expectation::permit()), &headers(set, removed)));
}

#[track_caller]
fn check_authz(why: &str, set: Vec<HeaderValueOption>, removed: &[&str]) {
    is(why, outcome(&mut judge(Protocol::ExtAuthz, Expectation::permit()), &allowed(set, removed)));
}

#[track_caller]
fn is(why: &str, outcome: Outcome) {
    match outcome {
        Outcome::Right => assert_eq!(why, ""),
        Outcome::Wrong(said) => assert!(!why.is_empty() && said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_permit_sets_a_credential_and_takes_the_callers_token_off() {
    let key = || raw("authorization", "Bearer sk-1", OVERWRITE);
    check("", vec![key()], &[]);
    check("", vec![raw("Authorization", "Bearer sk-1", OVERWRITE)], &[]);
    check("", vec![raw("api-key", "sk-1", OVERWRITE)], &["authorization"]);
    check(
        "",
        vec![raw("authorization", "Bearer sk-1", HeaderAppendAction::AppendIfExistsOrAdd)],
        &["Authorization"],
    );
    check("no credential", vec![], &["authorization"]);
    check("no credential", vec![raw("x-other", "sk-1", OVERWRITE)], &["authorization"]);
    check("empty", vec![raw("authorization", "", OVERWRITE)], &[]);
    check("field that Envoy does not read", vec![text("authorization", "Bearer sk-1")], &["authorization"]);
    check("stays", vec![raw("api-key", "sk-1", OVERWRITE)], &["cookie"]);
    check("stays", vec![raw("authorization", "Bearer sk-1", HeaderAppendAction::AppendIfExistsOrAdd)], &[]);
    check("stays", vec![raw("authorization", "Bearer sk-1", HeaderAppendAction::AddIfAbsent)], &[]);
    check("comes back", vec![raw("authorization", "Bearer head.claims.signature", OVERWRITE)], &[]);
    check("comes back", vec![key(), raw("x-caller", "head.claims.signature;", OVERWRITE)], &[]);
}

#[test]
fn ext_authz_is_judged_by_what_its_envoys_read() {
    check_authz("", vec![text("authorization", "Bearer sk-1")], &[]);
    check_authz("", vec![text("x-api-key", "sk-1")], &["authorization"]);
    check_authz("field that Envoy does not read", vec![raw("authorization", "Bearer sk-1", OVERWRITE)], &[]);
    check_authz("removed as well", vec![text("authorization", "Bearer sk-1")], &["authorization"]);
    check_authz("no credential", vec![], &[]);
    let mut appended = text("authorization", "Bearer sk-1");
    appended.append = Some(BoolValue { value: true });
    check_authz("stays", vec![appended], &[]);
}

#[test]
fn a_header_of_the_operators_may_be_the_credential() {
    let expectation = Expectation::Permit { credential_headers: vec!["x-own-key".to_owned()] };
    let message = headers(vec![raw("x-own-key", "sk-1", OVERWRITE)], &["authorization"]);
    assert_eq!(outcome(&mut judge(Protocol::ExtProc, expectation), &message), Outcome::Right);
}

#[test]
fn a_request_without_a_token_has_nothing_to_take_off() {
    let message = headers(vec![raw("api-key", "sk-1", OVERWRITE)], &[]);
    let verdict = judge(Protocol::ExtProc, Expectation::permit()).judge(&Bytes::new(), &message, None);
    assert_eq!(verdict, Verdict::Settled(Judgement { outcome: Outcome::Right, words: None }));
}

#[test]
fn a_refusal_is_right_where_it_is_expected_and_tells_its_reason_elsewhere() {
    let mut permits = judge(Protocol::ExtProc, Expectation::permit());
    let refused =
        |status| Judgement { outcome: Outcome::Refused(status), words: Some("bouncer_forbidden".to_owned()) };
    assert_eq!(permits.judge(&Bytes::new(), &immediate(403), None), Verdict::Settled(refused(403)));
    let mut refuses = judge(Protocol::ExtProc, Expectation::Refusal(403));
    assert_eq!(outcome(&mut refuses, &immediate(403)), Outcome::Right);
    assert_eq!(outcome(&mut refuses, &immediate(401)), Outcome::Refused(401));
    let permit = headers(vec![raw("authorization", "Bearer sk-1", OVERWRITE)], &[]);
    assert_eq!(outcome(&mut refuses, &permit), Outcome::Refused(200));
    is("without a status", outcome(&mut refuses, &immediate(0)));
}

#[test]
fn a_denial_of_ext_authz_is_told_by_the_code_in_its_body() {
    let denied = |status: i32, body: &str| -> Bytes {
        let no = DeniedHttpResponse {
            status: Some(HttpStatus { code: 401 }),
            body: body.to_owned(),
            ..DeniedHttpResponse::default()
        };
        CheckResponse {
            status: Some(Status { code: status, ..Status::default() }),
            http_response: Some(HttpResponse::DeniedResponse(no)),
            ..CheckResponse::default()
        }
        .encode_to_vec()
        .into()
    };
    let mut judge = judge(Protocol::ExtAuthz, Expectation::permit());
    let body = r#"{"error":{"message":"not for a log","code":"invalid_token"}}"#;
    let words = Some("invalid_token".to_owned());
    let refused = Judgement { outcome: Outcome::Refused(401), words };
    assert_eq!(judge.judge(&Bytes::new(), &denied(16, body), None), Verdict::Settled(refused));
    is("contradict", outcome(&mut judge, &denied(0, body)));
}

#[test]
fn what_is_no_answer_is_wrong() {
    let mut judge = judge(Protocol::ExtProc, Expectation::permit());
    is("no credential", outcome(&mut judge, &headers(Vec::new(), &[])));
    is("something else", outcome(&mut judge, &Bytes::new()));
    is("something else", outcome(&mut judge, &processed(Response::RequestBody(BodyResponse::default()))));
    is("of the protocol", outcome(&mut judge, &Bytes::from_static(b"\xff\xff")));
}

#[test]
fn what_was_set_before_the_body_counts_with_what_is_set_after() {
    let wants = |set, removed: &[&str]| -> Bytes {
        let headers = HeadersResponse { response: Some(common(set, removed)) };
        let mode =
            ProcessingMode { request_body_mode: BodySendMode::Buffered.into(), ..ProcessingMode::default() };
        ProcessingResponse {
            response: Some(Response::RequestHeaders(headers)),
            mode_override: Some(mode),
            ..ProcessingResponse::default()
        }
        .encode_to_vec()
        .into()
    };
    let body = |set| processed(Response::RequestBody(BodyResponse { response: Some(common(set, &[])) }));
    let mut judge = judge(Protocol::ExtProc, Expectation::permit());
    let (plain, removes) = (wants(Vec::new(), &[]), wants(Vec::new(), &["authorization"]));
    assert_eq!(judge.judge(&Bytes::new(), &plain, Some(TOKEN)), Verdict::WantsBody);
    let signed = body(vec![raw("x-api-key", "sk-1", OVERWRITE)]);
    for (before, why) in [(&removes, ""), (&plain, "stays"), (&removes, "")] {
        match judge.judge(before, &signed, Some(TOKEN)) {
            Verdict::Settled(judgement) => is(why, judgement.outcome),
            Verdict::WantsBody => panic!("asked twice"),
        }
    }
}

#[test]
fn equal_bytes_are_the_same_answer_but_for_a_token_of_the_caller_in_them() {
    let mut judge = judge(Protocol::ExtProc, Expectation::permit());
    // One caller's token as the credential: to everybody else it looks like a provider's key.
    let message = headers(vec![raw("authorization", "Bearer one.callers.token", OVERWRITE)], &[]);
    for _ in 0..2 {
        assert_eq!(outcome(&mut judge, &message), Outcome::Right);
        let own = judge.judge(&Bytes::new(), &message, Some(b"one.callers.token"));
        assert_eq!(own, echo());
    }
    for number in 0..100 {
        let other = headers(vec![raw("authorization", &format!("Bearer sk-{number}"), OVERWRITE)], &[]);
        assert_eq!(outcome(&mut judge, &other), Outcome::Right);
    }
    assert_eq!(judge.known.len(), REMEMBERED);
}
