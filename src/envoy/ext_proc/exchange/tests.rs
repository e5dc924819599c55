//! Bodies of requests that are signed, message by message: what Envoy is answered, and what it never is.

use std::time::Duration;

use proptest::prelude::*;
use tonic::Code;

use crate::config::{Feedback, Limits};
use crate::envoy::testing::{Bench, End, KIB, LINES, MIB, Said, Stripped, bytes, headers, in_mode};
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_request::Request as Part;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest,
};

const STREAMED: i32 = 1;
const BUFFERED: i32 = 2;
const PARTIAL: i32 = 3;
const DUPLEX: i32 = 4;

fn misconfigured() -> Said {
    Said::Refused(500, "misconfigured".to_owned())
}

fn stripped() -> Said {
    Said::Headers { authorization: None, stripped: Stripped::Yes }
}

fn with_length(length: usize) -> ProcessingRequest {
    headers("aws", &[("content-length", &length.to_string())])
}

fn without_body(mut request: ProcessingRequest) -> ProcessingRequest {
    if let Some(Part::RequestHeaders(headers)) = &mut request.request {
        headers.end_of_stream = true;
    }
    request
}

#[tokio::test(start_paused = true)]
async fn the_body_is_asked_for_and_signed_when_it_is_whole() {
    for (mode, feedback, watched) in [
        (0, Feedback::Off, HeaderSendMode::Skip),
        (BUFFERED, Feedback::Observe, HeaderSendMode::Send),
        (PARTIAL, Feedback::Answer, HeaderSendMode::Send),
    ] {
        let bench = Bench::new(Limits::default(), feedback);
        for length in [0, 1, 4 * KIB, 3 * MIB + 1] {
            let body = bytes(length);
            let mut call = bench.asked(&in_mode(mode, with_length(length))).await;
            let answer = call.next().await.unwrap();
            assert_eq!(Said::of(&answer), stripped());
            let wanted = ProcessingMode {
                request_header_mode: HeaderSendMode::Skip.into(),
                response_header_mode: watched.into(),
                request_body_mode: BodySendMode::Buffered.into(),
                response_body_mode: BodySendMode::None.into(),
                request_trailer_mode: HeaderSendMode::Skip.into(),
                response_trailer_mode: HeaderSendMode::Skip.into(),
            };
            assert_eq!(answer.mode_override, Some(wanted));
            assert!(bench.free() <= (256 * MIB) - length);
            call.body(&body, true);
            let answer = call.next().await.unwrap();
            let signature = bench.signature(&LINES, &body);
            assert_eq!(Said::of(&answer), Said::Body { authorization: Some(signature) });
            assert_eq!(answer.mode_override, None, "Envoy passes it over there");
            assert_eq!(bench.free(), 256 * MIB);
            call.close();
            assert_eq!(call.next().await, Err(Code::Ok));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_body_is_signed_at_once_in_every_mode() {
    let bench = Bench::small();
    for mode in [0, STREAMED, BUFFERED, PARTIAL, DUPLEX] {
        let mut call = bench.asked(&in_mode(mode, without_body(headers("aws", &[])))).await;
        let authorization = Some(bench.signature(&LINES, b""));
        assert_eq!(call.said().await, Said::Headers { authorization, stripped: Stripped::Yes }, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_signature_is_of_the_moment_at_which_the_body_is_there() {
    let bench = Bench::small();
    let mut call = bench.asked(&headers("aws", &[])).await;
    assert_eq!(call.said().await, stripped());
    tokio::time::sleep(Duration::from_secs(120)).await;
    call.body(b"late", true);
    assert_eq!(call.said().await, Said::Body { authorization: Some(bench.signature(&LINES, b"late")) });
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_the_whole_one_is_refused() {
    let bench = Bench::small();
    let wrong = Said::Refused(400, "invalid_request".to_owned());
    let large = Said::Refused(413, "request_too_large".to_owned());
    for (stated, body, end, expected) in [
        (None, 4, false, misconfigured()),
        (Some(4), 4, false, misconfigured()),
        (Some(4), 3, true, wrong.clone()),
        (Some(4), 5, true, wrong.clone()),
        (Some(4), 0, true, wrong.clone()),
        (Some(0), 1, true, wrong),
        (None, 2 * MIB + 1, true, large),
    ] {
        let request = stated.map_or_else(|| headers("aws", &[]), with_length);
        let mut call = bench.asked(&request).await;
        assert_eq!(call.said().await, stripped());
        call.body(&bytes(body), end);
        assert_eq!(call.said().await, expected, "{stated:?} {body}");
        assert_eq!(call.next().await, Err(Code::Ok), "a refusal is the last word");
        assert_eq!(bench.free(), 4 * MIB);
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_too_large_is_refused_before_the_body_is_asked_for() {
    let bench = Bench::small();
    for mode in [0, DUPLEX] {
        let mut call = bench.asked(&in_mode(mode, with_length(2 * MIB + 1))).await;
        assert_eq!(call.said().await, Said::Refused(413, "request_too_large".to_owned()));
        let mut call = bench.asked(&in_mode(mode, with_length(2 * MIB))).await;
        if mode == 0 {
            assert_eq!(call.said().await, stripped());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_what_is_decoded_is_refused_and_not_an_error() {
    let bench = Bench::small();
    for mode in [0, DUPLEX] {
        let mut call = bench.asked(&in_mode(mode, headers("aws", &[]))).await;
        if mode == 0 {
            assert_eq!(call.said().await, stripped());
        }
        call.body(&bytes(3 * MIB), true);
        assert_eq!(call.said().await, Said::Refused(413, "request_too_large".to_owned()));
        assert_eq!(call.next().await, Err(Code::Ok));
        assert_eq!(bench.free(), 4 * MIB);
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_cannot_be_asked_for_the_body_is_refused() {
    let bench = Bench::small();
    let mut call = bench.asked(&in_mode(STREAMED, headers("aws", &[]))).await;
    assert_eq!(call.said().await, misconfigured());
    // The others are served there as before.
    let mut call = bench.asked(&in_mode(STREAMED, headers("plain", &[]))).await;
    assert!(matches!(call.said().await, Said::Headers { authorization: Some(_), .. }));
}

fn response(details: Option<&str>) -> ProcessingRequest {
    let part = Part::ResponseHeaders(HttpHeaders::default());
    let mut response = ProcessingRequest { request: Some(part), ..ProcessingRequest::default() };
    if let Some(details) = details {
        let kind = Some(prost_types::value::Kind::StringValue(details.to_owned()));
        let fields = [("response.code_details".to_owned(), prost_types::Value { kind })].into();
        response.attributes.insert("envoy.filters.http.ext_proc".to_owned(), prost_types::Struct { fields });
    }
    response
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_goes_on_without_the_body_is_refused_where_it_shows() {
    let bench = Bench::small();
    let trailers = || ProcessingRequest {
        request: Some(Part::RequestTrailers(HttpTrailers::default())),
        ..ProcessingRequest::default()
    };
    for goes_on in [trailers(), response(None), response(Some("via_upstream"))] {
        let mut call = bench.asked(&headers("aws", &[])).await;
        assert_eq!(call.said().await, stripped());
        call.send(&goes_on);
        assert_eq!(call.said().await, misconfigured());
        assert_eq!(call.next().await, Err(Code::Ok));
    }
    // What Envoy says itself (a timeout, a body over its limit) is the caller's to hear.
    let mut call = bench.asked(&headers("aws", &[])).await;
    assert_eq!(call.said().await, stripped());
    call.send(&response(Some("request_payload_too_large")));
    assert_eq!(call.said().await, Said::Other);
    call.close();
    assert_eq!(call.next().await, Err(Code::InvalidArgument));
    assert_eq!(bench.free(), 4 * MIB);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_ends_with_an_error_and_its_room_is_free() {
    let bench = Bench::small();
    let mut idle = bench.asked(&headers("aws", &[])).await;
    assert_eq!(idle.said().await, stripped());
    assert_eq!(bench.free(), 2 * MIB);
    assert_eq!(idle.next().await, Err(Code::DeadlineExceeded));
    assert_eq!(bench.free(), 4 * MIB);

    let mut closed = bench.asked(&headers("aws", &[])).await;
    assert_eq!(closed.said().await, stripped());
    closed.close();
    assert_eq!(closed.next().await, Err(Code::InvalidArgument));

    let mut reset = bench.asked(&headers("aws", &[])).await;
    assert_eq!(reset.said().await, stripped());
    reset.reset();
    assert_ne!(reset.next().await, Err(Code::Ok));

    let mut dropped = bench.asked(&headers("aws", &[])).await;
    assert_eq!(dropped.said().await, stripped());
    assert_eq!(bench.free(), 2 * MIB);
    drop(dropped);
    assert_eq!(bench.free(), 4 * MIB);
}

#[tokio::test(start_paused = true)]
async fn without_room_the_body_is_waited_for_and_then_refused() {
    let bench = Bench::small();
    let mut first = bench.asked(&headers("aws", &[])).await;
    let mut second = bench.asked(&in_mode(DUPLEX, headers("aws", &[]))).await;
    assert_eq!(first.said().await, stripped());
    assert!(second.ready().await.is_none());
    assert_eq!(bench.free(), 0);
    // Neither small ones nor others' pass by, and those that need none are served.
    let mut plain = bench.asked(&headers("plain", &[])).await;
    assert!(matches!(plain.said().await, Said::Headers { authorization: Some(_), .. }));
    let mut third = bench.asked(&with_length(KIB)).await;
    assert!(third.ready().await.is_none());
    assert_eq!(third.said().await, Said::Refused(503, "overloaded".to_owned()));
    let mut fourth = bench.asked(&with_length(KIB)).await;
    assert!(fourth.ready().await.is_none());
    first.body(b"", true);
    assert!(matches!(first.said().await, Said::Body { authorization: Some(_) }));
    assert_eq!(fourth.said().await, stripped());
    second.body(b"x", true);
    while !matches!(second.said().await, Said::Piece(_, End::Here)) {}
    fourth.body(&bytes(KIB), true);
    assert!(matches!(fourth.said().await, Said::Body { authorization: Some(_) }));
    // The room of what goes back to Envoy is free when it is gone.
    second.close();
    assert_eq!(second.next().await, Err(Code::Ok));
    assert_eq!(bench.free(), 4 * MIB);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_for_room_leaves_none_taken() {
    let bench = Bench::small();
    let mut held = bench.asked(&headers("aws", &[])).await;
    assert_eq!(held.said().await, stripped());
    let mut other = bench.asked(&headers("aws", &[])).await;
    assert_eq!(other.said().await, stripped());
    for _ in 0..10 {
        let mut waiting = bench.asked(&headers("aws", &[])).await;
        assert!(waiting.ready().await.is_none());
        drop(waiting);
    }
    drop((held, other));
    assert_eq!(bench.free(), 4 * MIB);
}

#[tokio::test(start_paused = true)]
async fn many_bodies_at_once_are_all_served_within_the_room_that_there_is() {
    let limits = Limits {
        max_body: MIB,
        body_memory: 4 * MIB,
        patience: Duration::from_secs(60),
        ..Limits::default()
    };
    let bench = Bench::new(limits, Feedback::Off);
    let body = bytes(MIB);
    let one = async |mode: i32| {
        let mut call = bench.asked(&in_mode(mode, headers("aws", &[]))).await;
        if mode == 0 {
            assert_eq!(call.said().await, stripped());
        }
        assert!(bench.free() <= 3 * MIB);
        tokio::time::sleep(Duration::from_millis(10)).await;
        for (index, part) in body.chunks(if mode == 0 { MIB } else { 32 * KIB }).enumerate() {
            call.body(part, (index + 1) * part.len() == MIB);
        }
        let signed = match call.said().await {
            Said::Body { authorization } | Said::Headers { authorization, .. } => authorization,
            other => panic!("{other:?}"),
        };
        assert!(signed.unwrap().starts_with("AWS4-HMAC-SHA256 "));
    };
    let mut calls = Vec::new();
    for index in 0..100 {
        calls.push(Box::pin(one(if index % 2 == 0 { 0 } else { DUPLEX })));
    }
    for_all(calls).await;
    assert_eq!(bench.free(), 4 * MIB);
}

/// Polls them all until the last one is over.
async fn for_all(mut futures: Vec<std::pin::Pin<Box<impl Future<Output = ()>>>>) {
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_full_duplex_the_headers_wait_for_the_body_and_all_of_it_goes_back() {
    let bench = Bench::new(Limits { max_body: 2 * MIB, ..Limits::default() }, Feedback::Answer);
    for parts in
        [vec![0], vec![1], vec![16 * KIB, 3, 4, 90 * KIB, 1, 2, 0], vec![7; 300], vec![MIB, 1000 * KIB]]
    {
        let body = bytes(parts.iter().sum());
        let mut call = bench.asked(&in_mode(DUPLEX, headers("aws", &[]))).await;
        let mut rest = body.as_slice();
        for (index, part) in parts.iter().enumerate() {
            let (part, after) = rest.split_at(*part);
            rest = after;
            assert!(call.ready().await.is_none(), "before all of it came");
            call.body(part, index + 1 == parts.len());
        }
        let answer = call.next().await.unwrap();
        assert_eq!(answer.mode_override, None, "Envoy takes none there");
        let authorization = Some(bench.signature(&LINES, &body));
        assert_eq!(Said::of(&answer), Said::Headers { authorization, stripped: Stripped::Yes });
        let mut back = Vec::new();
        loop {
            let Said::Piece(piece, end) = call.said().await else { panic!() };
            assert!(piece.len() <= 64 * KIB);
            back.extend_from_slice(&piece);
            if end == End::Here {
                break;
            }
        }
        assert!(back == body, "{parts:?}");
        call.send(&response(Some("via_upstream")));
        assert_eq!(call.said().await, Said::Other);
        call.close();
        assert_eq!(call.next().await, Err(Code::Ok));
        assert_eq!(bench.free(), 256 * MIB);
    }
}

#[tokio::test(start_paused = true)]
async fn in_full_duplex_trailers_end_the_body_and_come_last() {
    let bench = Bench::small();
    for parts in [vec![], vec![b"a".as_slice(), b"body"]] {
        let mut call = bench.asked(&in_mode(DUPLEX, headers("aws", &[]))).await;
        for part in &parts {
            call.body(part, false);
        }
        assert!(call.ready().await.is_none());
        call.part(Part::RequestTrailers(HttpTrailers::default()));
        let body = parts.concat();
        let authorization = Some(bench.signature(&LINES, &body));
        assert_eq!(call.said().await, Said::Headers { authorization, stripped: Stripped::Yes });
        if !body.is_empty() {
            assert_eq!(call.said().await, Said::Piece(body.into(), End::Later));
        }
        assert_eq!(call.said().await, Said::Other);
        call.close();
        assert_eq!(call.next().await, Err(Code::Ok));
    }
}

#[tokio::test(start_paused = true)]
async fn in_full_duplex_a_body_that_grows_too_large_is_refused_at_once() {
    let bench = Bench::small();
    for (request, code) in [(headers("aws", &[]), 413), (with_length(100 * KIB), 400)] {
        let mut call = bench.asked(&in_mode(DUPLEX, request)).await;
        let mut sent = 0;
        while call.ready().await.is_none() {
            call.body(&bytes(64 * KIB), false);
            sent += 64 * KIB;
            assert!(sent <= 2 * MIB + 64 * KIB);
        }
        drop(call);
        assert_eq!(bench.free(), 4 * MIB, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_full_duplex_the_bodies_of_others_go_back_as_they_come() {
    let bench = Bench::small();
    let mut call = bench.asked(&in_mode(DUPLEX, headers("plain", &[]))).await;
    assert!(matches!(call.said().await, Said::Headers { authorization: Some(_), .. }));
    call.body(b"one", false);
    assert_eq!(call.said().await, Said::Piece("one".into(), End::Later));
    // A stream that ended well here would let the rest through without an answer to it.
    call.close();
    assert_ne!(call.next().await, Err(Code::Ok));

    let mut call = bench.asked(&in_mode(DUPLEX, headers("plain", &[]))).await;
    assert!(matches!(call.said().await, Said::Headers { .. }));
    call.body(b"two", true);
    assert_eq!(call.said().await, Said::Piece("two".into(), End::Here));
    call.close();
    assert_eq!(call.next().await, Err(Code::Ok));
}

fn any_part() -> impl Strategy<Value = Part> {
    let body = (0..6_usize, any::<bool>());
    prop_oneof![
        1 => any::<bool>().prop_map(|end| {
            let mut request = headers("aws", &[]);
            if end {
                request = without_body(request);
            }
            request.request.unwrap()
        }),
        6 => body.prop_map(|(length, end_of_stream)| {
            Part::RequestBody(HttpBody { body: bytes(length), end_of_stream })
        }),
        1 => Just(Part::RequestTrailers(HttpTrailers::default())),
        1 => Just(Part::ResponseHeaders(HttpHeaders::default())),
        1 => Just(Part::ResponseBody(HttpBody::default())),
        1 => Just(Part::ResponseTrailers(HttpTrailers::default())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: no end with OK before the request is signed or refused, nothing of the caller's left on
    /// it, and what goes back of a body is what came of it.
    #[test]
    fn no_order_of_messages_lets_a_request_through_unsigned(
        mode in 0..6_i32,
        stated in proptest::option::of(0..8_usize),
        ends in any::<bool>(),
        parts in proptest::collection::vec(any_part(), 0..8),
        closed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::small();
            let request = stated.map_or_else(|| headers("aws", &[]), with_length);
            let request = in_mode(mode, if ends { without_body(request) } else { request });
            let mut call = bench.asked(&request).await;
            let (mut came, mut back) = (Vec::new(), Vec::new());
            for part in parts {
                if let Part::RequestBody(body) = &part {
                    came.extend_from_slice(&body.body);
                }
                call.part(part);
            }
            if closed {
                call.close();
            } else {
                call.reset();
            }
            let (mut answered, mut signed) = (false, false);
            let code = loop {
                let answer = match call.next().await {
                    Ok(answer) => answer,
                    Err(code) => break code,
                };
                match Said::of(&answer) {
                    Said::Headers { authorization, stripped } => {
                        prop_assert_eq!(stripped, Stripped::Yes);
                        prop_assert!(!answered);
                        signed |= authorization.is_some();
                        answered |= signed;
                        // Without a signature it is only a request for the body.
                        prop_assert!(signed || answer.mode_override.is_some());
                    }
                    Said::Body { authorization } if !answered => {
                        prop_assert!(authorization.is_some());
                        (answered, signed) = (true, true);
                    }
                    Said::Refused(..) => answered = true,
                    Said::Piece(piece, _) => {
                        prop_assert!(signed);
                        back.extend_from_slice(&piece);
                    }
                    Said::Body { .. } | Said::Other => {}
                }
            };
            if code == Code::Ok {
                prop_assert!(answered);
            }
            prop_assert!(came.starts_with(&back));
            prop_assert_eq!(bench.free(), 4 * MIB);
            Ok(())
        })?;
    }
}
