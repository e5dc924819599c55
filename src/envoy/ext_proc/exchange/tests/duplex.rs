//! FULL_DUPLEX_STREAMED: the body is collected, signed and sent back.

use super::*;

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
        if body.len() > MIB {
            assert!(bench.free() < 256 * MIB, "most of it is still here");
        }
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
    for (request, most, refusal) in [
        (headers("aws", &[]), 2 * MIB, Said::Refused(413, "request_too_large".to_owned())),
        (with_length(100 * KIB), 100 * KIB, Said::Refused(400, "invalid_request".to_owned())),
    ] {
        let mut call = bench.asked(&in_mode(DUPLEX, request)).await;
        let mut sent = 0;
        let answer = loop {
            if let Some(answer) = call.ready().await {
                break answer.unwrap();
            }
            call.body(&bytes(64 * KIB), false);
            sent += 64 * KIB;
        };
        assert!((most..=most + 64 * KIB).contains(&sent), "{sent}");
        assert_eq!(Said::of(&answer), refusal);
        assert_eq!(bench.free(), 4 * MIB);
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

/// One by one, each would cost the connection many times its own length until the peer takes it.
#[tokio::test(start_paused = true)]
async fn answers_that_are_ready_leave_together_and_the_first_waits_for_no_other() {
    const PIECES: usize = 4_096;
    let bench = Bench::small();
    let mut call = bench.asked(&in_mode(DUPLEX, headers("plain", &[]))).await;
    for piece in 1..=PIECES {
        call.body(b"piece", piece == PIECES);
    }
    assert!(matches!(call.said().await, Said::Headers { authorization: Some(_), .. }));
    for piece in 1..=PIECES {
        let end = if piece == PIECES { End::Here } else { End::Later };
        assert_eq!(call.said().await, Said::Piece(b"piece".as_slice().into(), end));
    }
    let Some((first, others)) = call.frames.split_first() else { panic!("no answer") };
    assert!(*first < KIB, "{first}");
    assert!(others.len() <= PIECES / 64 && others.iter().all(|length| *length < 17 * KIB), "{others:?}");
    call.close();
    assert_eq!(call.next().await, Err(Code::Ok));
}
