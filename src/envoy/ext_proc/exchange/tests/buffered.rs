//! A body that Envoy is asked for and sends whole.

use super::*;

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
async fn whoever_may_not_call_any_more_when_the_body_is_there_gets_no_signature() {
    for mode in [0, DUPLEX] {
        let bench = Bench::small();
        let mut call = bench.asked(&in_mode(mode, headers("aws", &[]))).await;
        match mode {
            DUPLEX => assert!(call.ready().await.is_none()),
            _ => assert_eq!(call.said().await, stripped()),
        }
        bench.trusts("another");
        call.body(b"late", true);
        assert_eq!(call.said().await, Said::Refused(403, "forbidden".to_owned()));
    }
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
