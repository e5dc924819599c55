//! Bodies that compete for the room that there is.

use super::*;

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
async fn a_body_that_drips_holds_its_room_no_longer_than_one_that_never_comes() {
    let bench = Bench::small();
    let mut call = bench.asked(&in_mode(DUPLEX, headers("aws", &[]))).await;
    let began = tokio::time::Instant::now();
    let idle = Limits::default().stream_idle;
    let end = loop {
        call.body(b"x", false);
        if let Ok(end) = tokio::time::timeout(Duration::from_secs(7), call.next()).await {
            break end;
        }
        assert!(began.elapsed() <= idle);
    };
    assert_eq!(end, Err(Code::DeadlineExceeded));
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
