//! Streams that are opened and left: silent ones, and messages that drip.

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use prost::Message as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use crate::support::frames::{END_HEADERS, Frames, HEADERS, call_lines};
use crate::support::grpc::{Question, Said, Stream, check, process};
use crate::support::{CHECK, Direct, PROCESS, Raw};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silent_streams_are_a_bounded_number_of_small_things_that_end() {
    const STREAMS: u32 = 2_000;
    let limits = json!({"max_streams": STREAMS, "stream_idle": "5s"});
    let direct = Direct::quietly(|_| {}, |config| config["limits"] = limits);
    direct.serves();
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    process(&channel, &question).await.authorization();
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
    let before = direct.resident();
    let mut connection = Raw::connect(direct.grpc).await;
    let mut silent = Vec::new();
    for _ in 0..STREAMS {
        silent.push(connection.open(PROCESS).await.unwrap());
    }
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == f64::from(STREAMS));
    // One who counts them not: what is beyond the limit is refused.
    let mut greedy = Frames::connect(direct.grpc);
    for stream in 0..STREAMS + 500 {
        greedy.send(HEADERS, END_HEADERS, 2 * stream + 1, &call_lines()).unwrap();
    }
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == f64::from(2 * STREAMS));
    // 32 KiB for each of them are 128 MiB.
    super::holds_at_most(&direct, before, 128);
    for _ in 0..100 {
        process(&channel, &question).await.authorization();
    }
    let active = direct.metric("bouncer_streams_active", &[]);
    assert!(active <= f64::from(2 * STREAMS + 1), "{active}");
    for stream in silent {
        assert_eq!(stream.end().await.unwrap(), Code::DeadlineExceeded);
    }
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_that_drips_has_no_more_time_than_one_that_never_comes() {
    const IDLE: Duration = Duration::from_millis(500);
    let direct = Direct::with(|config| config["limits"] = json!({"stream_idle": "500ms"}));
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    let mut connection = Raw::connect(direct.grpc).await;
    let began = Instant::now();
    let mut drips = JoinSet::new();
    for _ in 0..20 {
        let message = question.message().encode_to_vec();
        let stream = connection.open(PROCESS).await.unwrap();
        drips.spawn(async move { stream.dripping(&message).await });
        let message = question.check().encode_to_vec();
        let stream = connection.open(CHECK).await.unwrap();
        drips.spawn(async move { stream.dripping(&message).await });
    }
    process(&channel, &question).await.authorization();
    while let Some(end) = drips.join_next().await {
        assert_eq!(end.unwrap().unwrap(), Code::DeadlineExceeded);
    }
    assert!(began.elapsed() >= IDLE);
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn beyond_max_active_a_stream_is_refused_before_anything_of_it_is_read() {
    let direct = Direct::with(|config| config["limits"] = json!({"max_active": 4}));
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    let mut connection = Raw::connect(direct.grpc).await;
    let mut silent = Vec::new();
    for path in [PROCESS, CHECK, PROCESS, CHECK] {
        silent.push(connection.open(path).await.unwrap());
    }
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 4.0);
    assert_eq!(process(&channel, &question).await.no(), (503, "overloaded"));
    match check(&channel, question.check()).await.unwrap().http_response.unwrap() {
        HttpResponse::DeniedResponse(no) => assert_eq!(no.status.unwrap().code, 503),
        other => panic!("{other:?}"),
    }
    let mut says_nothing = Stream::open(&channel, &[]).await.unwrap();
    let answer = says_nothing.next().await.unwrap().unwrap();
    assert_eq!(Said::processed(answer).no(), (503, "overloaded"));
    let refused = direct.metric("bouncer_requests_total", &["code=\"overloaded\""]);
    assert_eq!(refused, 3.0);
    drop((says_nothing, silent));
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
    process(&channel, &question).await.authorization();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_that_takes_no_answer_keeps_no_place_of_max_active() {
    const PLACES: usize = 4;
    let direct = Direct::with(|config| config["limits"] = json!({"max_active": PLACES}));
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    let mut peer = Raw::connect_without_window(direct.grpc).await;
    let mut untaken = Vec::new();
    let calls = [(PROCESS, question.message().encode_to_vec()), (CHECK, question.check().encode_to_vec())];
    for (path, message) in calls.iter().cycle().take(4 * PLACES) {
        let mut stream = peer.open(path).await.unwrap();
        stream.frame(message);
        untaken.push(stream);
        let permits = untaken.len() as f64;
        direct.until_metric("bouncer_requests_total", &["decision=\"permit\""], |count| count == permits);
    }
    assert_eq!(direct.metric("bouncer_streams_active", &[]), untaken.len() as f64);
    for _ in 0..4 * PLACES {
        process(&channel, &question).await.authorization();
    }
    assert_eq!(direct.metric("bouncer_requests_total", &["code=\"overloaded\""]), 0.0);
    assert_eq!(direct.metric("bouncer_streams_active", &[]), untaken.len() as f64);
    drop((untaken, peer));
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}
