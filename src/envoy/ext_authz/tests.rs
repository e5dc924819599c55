//! Bodies in checks: which are signed, which are refused, and how many are held at once.

use std::time::Duration;

use bytes::Bytes;

use crate::config::{Feedback, Limits};
use crate::envoy::testing::{Bench, KIB, LINES, MIB, bytes, frame};
use crate::envoy::wire::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use crate::envoy::wire::pb::envoy::service::auth::v3::check_response::HttpResponse;
use crate::envoy::wire::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};

fn request(provider: &str, lines: &[(&str, &str)], change: impl FnOnce(&mut HttpRequest)) -> CheckRequest {
    let [(_, method), (_, host), (_, path), own] = LINES;
    let mut http = HttpRequest {
        method: method.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        headers: [own]
            .iter()
            .chain(lines)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..HttpRequest::default()
    };
    change(&mut http);
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer { principal: "spiffe://mesh/app".to_owned() }),
            request: Some(Request { http: Some(http) }),
            context_extensions: [("provider".to_owned(), provider.to_owned())].into(),
            ..AttributeContext::default()
        }),
    }
}

fn with_body(lines: &[(&str, &str)], body: &[u8]) -> CheckRequest {
    request("aws", lines, |http| http.raw_body = body.to_vec())
}

/// The `authorization` that is set, or the status of a refusal.
fn said(answer: CheckResponse) -> Result<String, i32> {
    match answer.http_response.unwrap() {
        HttpResponse::OkResponse(ok) => {
            let lines = ok.headers.into_iter().filter_map(|line| line.header);
            Ok(lines.into_iter().find(|line| line.key == "authorization").unwrap().value)
        }
        HttpResponse::DeniedResponse(no) => Err(no.status.unwrap().code),
    }
}

async fn asked(bench: &Bench, request: &CheckRequest) -> Result<String, i32> {
    said(bench.check(vec![frame(request)]).await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_with_the_check_is_signed() {
    let bench = Bench::small();
    for length in [0, 1, 64 * KIB, MIB, MIB + 1, 2 * MIB] {
        let body = bytes(length);
        let signature = Ok(bench.signature(&LINES, &body));
        let unstated = if length == 0 { Err(500) } else { signature.clone() };
        assert_eq!(asked(&bench, &with_body(&[], &body)).await, unstated, "{length}");
        let stated = [("content-length", &*length.to_string())];
        assert_eq!(asked(&bench, &with_body(&stated, &body)).await, signature, "{length}");
        assert_eq!(bench.free(), 4 * MIB);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_there_whole_and_as_it_was_is_refused() {
    let bench = Bench::small();
    let text = |body: &str| request("aws", &[], |http| body.clone_into(&mut http.body));
    for (request, status) in [
        (text("a body"), 500),
        (with_body(&[("x-envoy-auth-partial-body", "true")], b"a part"), 500),
        (with_body(&[("content-length", "6")], b""), 500),
        (with_body(&[("transfer-encoding", "chunked")], b""), 500),
        // Of one in chunks Envoy says nothing at all.
        (with_body(&[], b""), 500),
        (with_body(&[("content-length", "6")], b"a bod"), 400),
        (with_body(&[("content-length", "4")], b"a bod"), 400),
        (with_body(&[("content-length", "five")], b"a bod"), 400),
        (with_body(&[], &bytes(2 * MIB + 1)), 413),
    ] {
        assert_eq!(asked(&bench, &request).await, Err(status), "{status}");
    }
    for fine in [
        with_body(&[("x-envoy-auth-partial-body", "false"), ("content-length", "5")], b"a bod"),
        with_body(&[("content-length", "0")], b""),
        with_body(&[("x-envoy-auth-partial-body", "false")], b""),
        request("aws", &[], |http| "GET".clone_into(&mut http.method)),
    ] {
        assert!(asked(&bench, &fine).await.is_ok());
    }
    // Nobody else asks for a body.
    let plain = request("plain", &[("content-length", "6")], |http| http.body = "a".to_owned());
    assert_eq!(asked(&bench, &plain).await.as_deref(), Ok("Bearer sk-own"));
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_in_any_pieces() {
    let bench = Bench::small();
    let body = bytes(70 * KIB);
    let whole = frame(&with_body(&[], &body));
    for cut in [1, 3, 4, 5, 6, 1000] {
        let pieces = vec![whole.slice(..cut), Bytes::new(), whole.slice(cut..)];
        assert_eq!(said(bench.check(pieces).await.unwrap()), Ok(bench.signature(&LINES, &body)));
    }
    for broken in [vec![], vec![whole.slice(..3)], vec![whole.slice(..100)]] {
        assert!(bench.check(broken).await.is_err());
        assert_eq!(bench.free(), 4 * MIB);
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_a_large_message_is_waited_with_and_then_refused() {
    let limits = Limits { max_body: MIB, body_memory: MIB, ..Limits::default() };
    let bench = Bench::new(limits, Feedback::Off);
    let room = bench.current.bodies().try_take(MIB).unwrap();
    let (large, small) = (with_body(&[], &bytes(100 * KIB)), with_body(&[], &bytes(50 * KIB)));
    assert_eq!(asked(&bench, &large).await, Err(503));
    assert!(asked(&bench, &small).await.is_ok(), "it needs none");
    let soon = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(room);
    };
    let (answer, ()) = tokio::join!(asked(&bench, &large), soon);
    assert!(answer.is_ok());
    assert_eq!(bench.free(), MIB);
}
