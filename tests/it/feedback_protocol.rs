//! The response phase of ext_proc as no Envoy would speak it, and what Envoy is asked for.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::Value;
use rustix::process::Signal;
use serde_json::json;
use tonic::Code;

use crate::support::Direct;
use crate::support::grpc::{Question, Stream, structure, text};

const REJECTIONS: &str = "bouncer_upstream_rejections_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_an_entry_with_feedback_asks_for_the_headers_of_the_response() {
    let direct = answering();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let downstream: &[(&str, &str)] = &[("x-bouncer-half", "downstream")];
    for (question, half, expected) in [
        (question.clone(), &[][..], Some(response_headers())),
        (question.clone().to("azure"), &[], None),
        (question, downstream, None),
        (Question::anonymous(), &[], None),
    ] {
        let mut stream = Stream::open(&channel, half).await.unwrap();
        stream.send(question.message());
        assert_eq!(stream.next().await.unwrap().unwrap().mode_override, expected, "{half:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_stream_ends_with_ok_after_the_answer_to_the_responses_headers() {
    let direct = answering();
    for (status, refused) in [("200", false), ("401", true), ("403", false), ("500", false), ("", false)] {
        let mut stream = attached(&direct).await;
        stream.phase(Phase::RequestBody(HttpBody { end_of_stream: true, ..HttpBody::default() }));
        let passed = stream.next().await.unwrap().unwrap();
        assert!(matches!(passed.response, Some(Response::RequestBody(_))));
        stream.send(response(status, Some(text("via_upstream"))));
        let answer = stream.next().await.unwrap().unwrap();
        assert_eq!(answer.mode_override, None, "{status}");
        match answer.response.unwrap() {
            Response::ImmediateResponse(no) if refused => assert_eq!(no.status.unwrap().code, 502),
            Response::ResponseHeaders(headers) if !refused => assert_eq!(headers.response, None),
            other => panic!("{status}: {other:?}"),
        }
        // Whatever comes now is not waited for.
        stream.phase(Phase::ResponseBody(HttpBody::default()));
        assert_eq!(stream.end().await, Code::Ok, "{status}");
    }
    assert!(direct.metric(REJECTIONS, &["provider=\"openai\""]) == 2.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn response_headers_that_are_out_of_order_or_broken_end_with_an_error() {
    let direct = answering();
    let mut stream = attached(&direct).await;
    stream.phase(Phase::ResponseBody(HttpBody::default()));
    assert_eq!(stream.end().await, Code::InvalidArgument);

    let mut stream = attached(&direct).await;
    let mut twice = response("401", Some(text("via_upstream")));
    for name in ["a", "b", "c"] {
        twice.attributes.insert(name.to_owned(), structure(&[]));
    }
    stream.send(twice);
    assert_eq!(stream.end().await, Code::InvalidArgument);
    assert!(direct.metric(REJECTIONS, &[]) == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_maker_that_is_no_text_is_none() {
    let direct = answering();
    for maker in [None, Some(Value::default()), Some(text("")), Some(text("VIA_UPSTREAM"))] {
        let mut stream = attached(&direct).await;
        stream.send(response("401", maker.clone()));
        let answer = stream.next().await.unwrap().unwrap();
        assert!(matches!(answer.response, Some(Response::ResponseHeaders(_))), "{maker:?}");
    }
    assert!(direct.metric(REJECTIONS, &[]) == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_provider_that_never_answers_keeps_no_stream_beyond_its_time() {
    let direct = Direct::with(|config| {
        config["providers"][0]["feedback"] = json!("answer");
        config["limits"] = json!({"stream_idle": "200ms"});
    });
    // The request is on its way already, so the end is no refusal of it.
    assert_eq!(attached(&direct).await.end().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_ends_what_waits_for_a_response_with_ok() {
    let mut direct = answering();
    let (mut waiting, mut reading) = (attached(&direct).await, attached(&direct).await);
    reading.phase(Phase::RequestBody(HttpBody::default()));
    assert!(reading.next().await.unwrap().is_some());
    direct.process.signal(Signal::TERM);
    assert_eq!((waiting.end().await, reading.end().await), (Code::Ok, Code::Ok));
    let status = tokio::task::block_in_place(|| direct.bouncer.process.wait());
    assert_eq!(status.code(), Some(0), "{}", direct.process.text());
}

fn answering() -> Direct {
    Direct::with(|config| config["providers"][0]["feedback"] = json!("answer"))
}

/// A stream on which the credential of `openai` was put.
async fn attached(direct: &Direct) -> Stream {
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    stream.send(Question::chat(&direct.token()).message());
    let answer: ProcessingResponse = stream.next().await.unwrap().unwrap();
    assert_eq!(answer.mode_override, Some(response_headers()));
    stream
}

/// The headers of a response. `maker` is `response.code_details`.
fn response(status: &str, maker: Option<Value>) -> ProcessingRequest {
    let line = |name: &str, value: &str| HeaderValue {
        key: name.to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    };
    let headers = Some(HeaderMap { headers: vec![line(":status", status), line("server", "x")] });
    let attributes = maker.map(|maker| structure(&[("response.code_details", maker)]));
    ProcessingRequest {
        request: Some(Phase::ResponseHeaders(HttpHeaders { headers, ..HttpHeaders::default() })),
        attributes: attributes
            .map(|attributes| HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes)]))
            .unwrap_or_default(),
        ..ProcessingRequest::default()
    }
}

/// Nothing but the headers of the response.
fn response_headers() -> ProcessingMode {
    ProcessingMode {
        request_header_mode: HeaderSendMode::Skip.into(),
        response_header_mode: HeaderSendMode::Send.into(),
        request_body_mode: BodySendMode::None.into(),
        response_body_mode: BodySendMode::None.into(),
        request_trailer_mode: HeaderSendMode::Skip.into(),
        response_trailer_mode: HeaderSendMode::Skip.into(),
    }
}
