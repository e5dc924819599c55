//! What stays of a request's bytes: nothing beyond `limits.body_memory`, and nothing for a peer that takes no answer.

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use prost::Message as _;
use rustix::process::Signal;
use serde_json::json;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::holds_at_most;
use crate::bodies::{body, direct_with, in_mode, question};
use crate::support::grpc::{Question, Stream, process, said};
use crate::support::{Direct, PROCESS, Raw};

const MIB: usize = 1 << 20;

/// One after the other: never more than one body is on its way. The provider thinks, and the streams live on, as Envoy has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_of_a_body_is_kept_while_the_provider_thinks() {
    let direct = direct_with(json!({"max_body": "8MiB", "body_memory": "8MiB"}));
    let channel = direct.channel().await;
    process(&channel, &Question::chat(&direct.token())).await.authorization();
    let large = vec![b'x'; 8 * MIB];
    let mut held = Vec::new();
    let before = direct.resident();
    for _ in 0..16 {
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        stream.send(question(&direct).message());
        assert!(stream.next().await.unwrap().unwrap().mode_override.is_some());
        stream.phase(body(&large, true));
        stream.next().await.unwrap().unwrap();
        held.push(stream);
        // One that nobody signs, of a filter with request_body_mode BUFFERED.
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        let asked = in_mode(BodySendMode::Buffered, &Question::chat(&direct.token()));
        said(&asked, &mut stream).await.authorization();
        stream.phase(body(&large, true));
        stream.next().await.unwrap().unwrap();
        held.push(stream);
    }
    holds_at_most(&direct, before, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_that_takes_no_answer_keeps_no_room_of_bodies() {
    let limits = json!({"max_body": "1MiB", "body_memory": "2MiB", "stream_idle": "500ms"});
    let direct = direct_with(limits);
    let mut watch = HealthClient::new(direct.channel().await);
    let mut watch = watch.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let mut peer = Raw::connect_without_window(direct.grpc).await;
    let mut untaken = Vec::new();
    for _ in 0..2 {
        let mut stream = peer.open(PROCESS).await.unwrap();
        let asked = in_mode(BodySendMode::FullDuplexStreamed, &question(&direct));
        stream.frame(&asked.encode_to_vec());
        for phase in [body(&[b'x'; 100], false), body(b"", true)] {
            stream.frame(
                &ProcessingRequest { request: Some(phase), ..ProcessingRequest::default() }.encode_to_vec(),
            );
        }
        untaken.push(stream);
    }
    direct.until_metric("bouncer_requests_total", &["decision=\"permit\""], |count| count == 2.0);
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    stream.send(question(&direct).message());
    assert!(stream.next().await.unwrap().unwrap().mode_override.is_some());
    // Who watches health says nothing either, was there before them, and still is.
    direct.process.signal(Signal::TERM);
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
}

/// A first message has no body in it, and nobody knows yet who calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_first_message_is_no_longer_than_headers_are() {
    let direct = Direct::start();
    let mut peer = Raw::connect(direct.grpc).await;
    let before = direct.resident();
    let part = Bytes::from(vec![0_u8; 15 * MIB]);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = peer.open(PROCESS).await.unwrap();
        stream.bytes([&[0_u8][..], &(16_u32 << 20).to_be_bytes()].concat());
        stream.bytes(part.clone());
        streams.push(stream);
    }
    for stream in streams {
        assert_eq!(stream.end().await.unwrap(), Code::OutOfRange, "its end is not waited for");
    }
    holds_at_most(&direct, before, 64);
}
