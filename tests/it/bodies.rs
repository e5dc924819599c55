//! Bodies of requests that are signed, over the wire: the lean messages of the server against the full ones of another
//! project, and what the operator reads where Envoy does not send what it was asked for.

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::grpc::{Question, Said, Stream, check, process, said};
use crate::support::{Direct, PATIENCE, entry, field};

const MIB: usize = 1 << 20;

/// A bouncer that signs for `aws`, with room for two bodies of the largest size.
fn direct() -> Direct {
    direct_with(json!({"max_body": "1MiB", "body_memory": "2MiB", "stream_idle": "500ms"}))
}

/// The same with these limits.
pub(crate) fn direct_with(limits: Value) -> Direct {
    let secret = "a-secret-access-key-of-tests-and-of-no-account";
    let direct = Direct::begin(
        crate::support::Issuer::start(),
        |files| {
            files.write_secret("aws", "access_key_id", "AKIDEXAMPLE");
            files.write_secret("aws", "secret_access_key", secret);
        },
        |config| {
            let mut aws = entry("aws", "bedrock");
            aws["auth_type"] = json!("aws_sigv4");
            aws["aws"] = json!({"region": "us-east-1"});
            config["providers"].as_array_mut().unwrap().push(aws);
            config["limits"] = limits;
        },
    );
    direct.secrets.add(secret);
    direct.bouncer.serves();
    direct
}

pub(crate) fn question(direct: &Direct) -> Question {
    Question::chat(&direct.token())
        .to("aws")
        .without(":path")
        .line(":path", "/model/anthropic.claude-v1%3A0/converse")
}

pub(crate) fn in_mode(mode: BodySendMode, question: &Question) -> ProcessingRequest {
    let protocol_config =
        Some(ProtocolConfiguration { request_body_mode: mode.into(), ..ProtocolConfiguration::default() });
    ProcessingRequest { protocol_config, ..question.message() }
}

pub(crate) fn body(body: &[u8], end_of_stream: bool) -> Phase {
    Phase::RequestBody(HttpBody { body: body.to_vec(), end_of_stream, ..HttpBody::default() })
}

/// The `authorization` that an answer to a body sets.
fn signed(answer: ProcessingResponse) -> String {
    let Some(Response::RequestBody(body)) = answer.response else { panic!("{answer:?}") };
    let mutation = body.response.unwrap().header_mutation.unwrap();
    let lines = mutation.set_headers.into_iter().filter_map(|set| set.header);
    let line = lines.into_iter().find(|line| line.key == "authorization").expect("it is not signed");
    String::from_utf8(line.raw_value).unwrap()
}

/// The stream of a request whose body was asked for.
async fn asked(direct: &Direct) -> Stream {
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    stream.send(question(direct).message());
    let answer = stream.next().await.unwrap().unwrap();
    assert_eq!(answer.mode_override.unwrap().request_body_mode(), BodySendMode::Buffered);
    let Said::Go { set, removed, .. } = Said::processed(ProcessingResponse { mode_override: None, ..answer })
    else {
        panic!("refused")
    };
    assert!(set.is_empty() && removed == ["authorization"], "{removed:?}");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_that_is_asked_for_is_signed_in_the_answer_to_it() {
    let direct = direct();
    let mut stream = asked(&direct).await;
    stream.phase(body(b"{}", true));
    let authorization = signed(stream.next().await.unwrap().unwrap());
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    stream.close();
    assert_eq!(stream.end().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_in_pieces_is_signed_and_comes_back_whole() {
    let direct = direct();
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    stream.send(in_mode(BodySendMode::FullDuplexStreamed, &question(&direct)));
    let whole: Vec<u8> = (0..300_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
    for part in whole.chunks(7_001) {
        stream.phase(body(part, false));
    }
    stream.phase(Phase::RequestTrailers(HttpTrailers::default()));
    let answer = Said::processed(stream.next().await.unwrap().unwrap());
    assert!(answer.authorization().starts_with("AWS4-HMAC-SHA256 "));
    let mut back = Vec::new();
    loop {
        match stream.next().await.unwrap().unwrap().response.unwrap() {
            Response::RequestBody(piece) => match piece.response.unwrap().body_mutation.unwrap().mutation {
                Some(Mutation::StreamedResponse(piece)) => {
                    assert!(piece.body.len() <= 64 << 10 && !piece.end_of_stream);
                    back.extend(piece.body);
                }
                other => panic!("{other:?}"),
            },
            Response::RequestTrailers(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(back == whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_envoy_does_not_send_is_told_with_the_setting() {
    let direct = direct();
    // It goes on without the body.
    let mut stream = asked(&direct).await;
    stream.phase(Phase::ResponseHeaders(HttpHeaders::default()));
    let no = Said::processed(stream.next().await.unwrap().unwrap());
    assert_eq!(no.no(), (500, "misconfigured"));
    // It sends a part.
    let mut stream = asked(&direct).await;
    stream.phase(body(b"{", false));
    assert_eq!(Said::processed(stream.next().await.unwrap().unwrap()).no(), (500, "misconfigured"));
    for setting in ["set allow_mode_override: true on it", "request_body_mode must become BUFFERED"] {
        direct.process.wait_for(setting, |line| field(line, "cause")?.contains(setting).then_some(()));
    }
    // It streams, and cannot be told otherwise.
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    let streamed = in_mode(BodySendMode::Streamed, &question(&direct));
    assert_eq!(said(&streamed, &mut stream).await.no(), (500, "misconfigured"));
    direct.process.wait_for("STREAMED", |line| field(line, "cause")?.contains("STREAMED").then_some(()));
    // It hangs: the body is larger than its buffer.
    let mut stream = asked(&direct).await;
    assert_eq!(stream.end().await, Code::DeadlineExceeded);
    direct.process.wait_for("the buffers", |line| line.contains("request_body_buffer_limit").then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_that_is_reset_before_its_body_is_told_and_gives_its_room_back() {
    let direct = direct();
    for _ in 0..5 {
        drop((asked(&direct).await, asked(&direct).await));
    }
    direct.process.wait_for("that it ended", |line| {
        line.contains("the stream ended before the body came").then_some(())
    });
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_check_carries_its_body_or_is_refused() {
    let direct = direct();
    let channel = direct.channel().await;
    let with = |length: &str, raw: &[u8]| {
        let mut check = question(&direct).line("content-length", length).check();
        let request = check.attributes.as_mut().unwrap().request.as_mut().unwrap();
        request.http.as_mut().unwrap().raw_body = raw.to_vec();
        check
    };
    let answer = check(&channel, with("2", b"{}")).await.unwrap();
    assert!(matches!(answer.http_response, Some(HttpResponse::OkResponse(_))), "{answer:?}");
    let answer = check(&channel, with("2", b"")).await.unwrap();
    assert!(matches!(answer.http_response, Some(HttpResponse::DeniedResponse(_))));
    let setting = "set with_request_body";
    direct.process.wait_for(setting, |line| field(line, "cause")?.contains(setting).then_some(()));
}

/// Envoy sends bodies of a FULL_DUPLEX filter whether they are read or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_that_wait_for_room_do_not_keep_the_others_from_finishing() {
    let direct = direct_with(json!({"max_body": "1MiB", "body_memory": "1MiB", "patience": "50s"}));
    let channel = direct.channel().await;
    let large = vec![b'x'; MIB];
    let mut first = Stream::open(&channel, &[]).await.unwrap();
    first.send(question(&direct).message());
    // It has the room.
    assert!(first.next().await.unwrap().unwrap().mode_override.is_some());
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let stream = Stream::open(&channel, &[]).await.unwrap();
        stream.send(in_mode(BodySendMode::FullDuplexStreamed, &question(&direct)));
        large.chunks(64 << 10).for_each(|part| stream.phase(body(part, false)));
        waiting.push(stream);
    }
    direct.until_metric("bouncer_requests_waiting", &[], |waiting| waiting == 32.0);
    first.phase(body(&large, true));
    let answer =
        tokio::time::timeout(PATIENCE / 4, first.next()).await.expect("it waits for those behind it");
    assert!(signed(answer.unwrap().unwrap()).starts_with("AWS4-HMAC-SHA256 "));
}

/// 100 callers of 1 MiB each, and room for two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_bodies_is_answered_within_the_room_that_there_is() {
    let direct = direct();
    let channel = direct.channel().await;
    let large = vec![b'x'; MIB];
    process(&channel, &Question::chat(&direct.token())).await.authorization();
    let before = direct.resident();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (channel, question, large) = (channel.clone(), question(&direct), large.clone());
        calls.spawn(async move {
            let mut stream = Stream::open(&channel, &[]).await.unwrap();
            stream.send(question.message());
            let answer = stream.next().await.unwrap().unwrap();
            if answer.mode_override.is_none() {
                assert_eq!(Said::processed(answer).no(), (503, "overloaded"));
                return 0;
            }
            stream.phase(body(&large, true));
            signed(stream.next().await.unwrap().unwrap());
            1
        });
    }
    let served: usize = tokio::time::timeout(PATIENCE, calls.join_all()).await.unwrap().into_iter().sum();
    assert!(served >= 2, "{served}");
    let after = direct.resident();
    assert!(after < before + (48 << 10), "{before} KiB before, {after} KiB after {served} bodies");
    // And all of the room is there again.
    let (mut one, mut two) = (asked(&direct).await, asked(&direct).await);
    for stream in [&mut one, &mut two] {
        stream.phase(body(b"", true));
        signed(stream.next().await.unwrap().unwrap());
    }
}
