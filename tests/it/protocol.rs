//! ext_proc as no Envoy would speak it: every breach ends with an error or a refusal, never with OK.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::{ListValue, Value, value::Kind};
use tonic::Code;

use crate::support::grpc::{Question, Said, Stream, as_half, process, said, structure, text};
use crate::support::{Direct, PATIENCE, PROCESS, Raw, field};

fn body(end_of_stream: bool) -> Phase {
    Phase::RequestBody(HttpBody { end_of_stream, ..HttpBody::default() })
}

fn in_mode(request_body_mode: i32, message: ProcessingRequest) -> ProcessingRequest {
    let modes = ProtocolConfiguration { request_body_mode, ..ProtocolConfiguration::default() };
    ProcessingRequest { protocol_config: Some(modes), ..message }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_other_first_message_ends_with_an_error() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let firsts = [
        Some(body(false)),
        Some(Phase::RequestTrailers(HttpTrailers::default())),
        Some(Phase::ResponseHeaders(HttpHeaders::default())),
        Some(Phase::ResponseBody(HttpBody::default())),
        Some(Phase::ResponseTrailers(HttpTrailers::default())),
        None,
    ];
    for first in firsts {
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        stream.send(ProcessingRequest { request: first.clone(), ..ProcessingRequest::default() });
        assert_eq!(stream.end().await, Code::InvalidArgument, "{first:?}");
    }
    assert!(direct.metric("bouncer_protocol_errors_total", &["kind=\"out_of_order\""]) >= 5.0);
    assert!(direct.metric("bouncer_protocol_errors_total", &["kind=\"malformed\""]) >= 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_after_its_turn_ends_with_an_error() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let again = question.message().request.unwrap();
    for late in [
        vec![again],
        vec![body(true), body(true)],
        // Where bodies come whole.
        vec![body(false), body(false)],
        vec![Phase::ResponseBody(HttpBody::default())],
    ] {
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        said(&question.message(), &mut stream).await.authorization();
        for phase in &late {
            stream.phase(phase.clone());
        }
        for _ in 1..late.len() {
            assert!(matches!(stream.next().await.unwrap().unwrap().response, Some(Response::RequestBody(_))));
        }
        assert_eq!(stream.end().await, Code::InvalidArgument, "{late:?}");
    }
    let mut ended = question.message();
    if let Some(Phase::RequestHeaders(headers)) = &mut ended.request {
        headers.end_of_stream = true;
    }
    let mut stream = Stream::open(&channel, &[]).await.unwrap();
    said(&ended, &mut stream).await.authorization();
    stream.phase(body(true));
    assert_eq!(stream.end().await, Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_phase_after_a_permit_is_answered_in_kind_and_the_stream_ends_with_ok() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    // The response may be Envoy's own (CVE-2025-30157): it comes before the request's body is over.
    let upgrade = Question::chat(&direct.token()).line("connection", "upgrade").line("upgrade", "websocket");
    let streamed = in_mode(BodySendMode::Streamed.into(), upgrade.message());
    let mut stream = Stream::open(&channel, &[]).await.unwrap();
    said(&streamed, &mut stream).await.authorization();
    for phase in [
        body(false),
        Phase::ResponseHeaders(HttpHeaders::default()),
        Phase::ResponseBody(HttpBody::default()),
        body(false),
        Phase::RequestTrailers(HttpTrailers::default()),
        Phase::ResponseTrailers(HttpTrailers::default()),
    ] {
        stream.phase(phase.clone());
        let answer = stream.next().await.unwrap().unwrap();
        let kinds = match (&phase, answer.response.unwrap()) {
            (Phase::RequestBody(_), Response::RequestBody(body))
            | (Phase::ResponseBody(_), Response::ResponseBody(body)) => body.response.is_none(),
            (Phase::ResponseHeaders(_), Response::ResponseHeaders(headers)) => headers.response.is_none(),
            (Phase::RequestTrailers(_), Response::RequestTrailers(trailers))
            | (Phase::ResponseTrailers(_), Response::ResponseTrailers(trailers)) => {
                trailers.header_mutation.is_none()
            }
            _ => false,
        };
        assert!(kinds, "{phase:?}");
        assert!(answer.dynamic_metadata.is_none());
    }
    stream.close();
    assert_eq!(stream.end().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_without_request_headers_never_ends_with_ok() {
    let direct = Direct::start();
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    stream.close();
    assert_ne!(stream.end().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_that_are_no_message_end_with_an_error() {
    let direct = Direct::start();
    let mut connection = Raw::connect(direct.grpc).await;
    for garbage in [b"\xff".as_slice(), b"\x12\x7f", b"\x12\x05hello", b"\x0a", &[0x80; 64], b"", b"\x13\x14"]
    {
        let mut stream = connection.open(PROCESS).await.unwrap();
        stream.frame(garbage);
        assert_eq!(stream.end().await.unwrap(), Code::InvalidArgument, "{garbage:?}");
    }
    // Compressed without saying how, an unknown flag, an end within a frame.
    for prefix in [b"\x01\0\0\0\x01\0".as_slice(), b"\x07\0\0\0\0", b"\0\0\0\0\x09\x12", b"\0\0"] {
        let mut stream = connection.open(PROCESS).await.unwrap();
        stream.bytes(prefix.to_vec());
        stream.close();
        assert_ne!(stream.end().await.unwrap(), Code::Ok, "{prefix:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_without_one_method_authority_and_path_is_400() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let good = Question::chat(&direct.token());
    let mut bad = vec![Question { lines: Vec::new(), ..good.clone() }];
    for name in [":method", ":authority", ":path"] {
        bad.push(good.clone().without(name));
        bad.push(good.clone().without(name).line(name, ""));
        bad.push(good.clone().line(name, "/twice"));
        bad.push(good.clone().without(name).line(name, b"/\xff"));
    }
    for method in ["CONNECT", "connect"] {
        let tunnel = good.clone().without(":method").line(":method", method);
        bad.push(tunnel.clone());
        // RFC 8441: a tunnel that says what for.
        bad.push(tunnel.line(":protocol", "websocket"));
    }
    for question in bad {
        assert_eq!(process(&channel, &question).await.no(), (400, "invalid_request"), "{:?}", question.lines);
    }
    let mut nothing = good.message();
    nothing.request = Some(Phase::RequestHeaders(HttpHeaders::default()));
    let mut stream = Stream::open(&channel, &[]).await.unwrap();
    assert_eq!(said(&nothing, &mut stream).await.no(), (400, "invalid_request"));
    // A refusal is the last word.
    assert_eq!(stream.end().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_line_with_two_values_is_400_and_one_value_counts_in_either_place() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let good = Question::chat(&direct.token());
    let place = |value: Option<&str>| {
        let mut question = good.clone();
        let line = question.lines.last_mut().unwrap();
        let raw = String::from_utf8(line.raw_value.clone()).unwrap();
        match value {
            Some(value) => value.clone_into(&mut line.value),
            None => (line.value, line.raw_value) = (raw, Vec::new()),
        }
        question
    };
    assert_eq!(process(&channel, &place(Some("Bearer x"))).await.no(), (400, "invalid_request"));
    assert_eq!(process(&channel, &place(None)).await.authorization(), format!("Bearer {}", direct.key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tokens_that_are_not_one_token_are_401_and_other_bytes_are_no_matter() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let token = direct.token();
    let good = Question::chat(&token);
    let bearer = format!("Bearer {token}");
    for bad in [
        good.clone().line("authorization", &bearer),
        good.clone().line("authorization", "Bearer other"),
        good.clone().line("x-api-key", "other"),
        Question::anonymous().line("x-api-key", &token).line("x-api-key", &token),
        Question::anonymous().line("authorization", format!("{bearer}, {bearer}")),
        Question::anonymous().line("authorization", b"Bearer \xff\xfe"),
        Question::anonymous().line("authorization", [bearer.as_bytes(), b"\xff"].concat()),
        Question::anonymous().line("authorization", ""),
    ] {
        assert_eq!(process(&channel, &bad).await.no(), (401, "invalid_token"));
    }
    let other = good.line("x-note", b"\xff\xc0\x80").line("x-empty", "");
    assert_eq!(process(&channel, &other).await.authorization(), format!("Bearer {}", direct.key));
    assert_eq!(process(&channel, &Question::anonymous()).await.no(), (401, "missing_token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mode_in_which_answers_would_not_count_is_refused_and_told() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let good = Question::chat(&direct.token()).message();
    let mode = |mode: i32| in_mode(mode, good.clone());
    for (message, setting) in [
        (mode(BodySendMode::Grpc.into()), "request_body_mode GRPC"),
        (mode(99), "request_body_mode of a later Envoy"),
        (ProcessingRequest { observability_mode: true, ..good.clone() }, "observability_mode"),
    ] {
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        assert_eq!(said(&message, &mut stream).await.no(), (500, "misconfigured"), "{setting}");
        direct.process.wait_for(setting, |line| field(line, "cause")?.contains(setting).then_some(()));
    }
    for usual in [
        BodySendMode::None,
        BodySendMode::Streamed,
        BodySendMode::Buffered,
        BodySendMode::BufferedPartial,
        BodySendMode::FullDuplexStreamed,
    ] {
        let mut stream = Stream::open(&channel, &[]).await.unwrap();
        said(&mode(usual.into()), &mut stream).await.authorization();
    }
}

/// What the downstream half leaves in dynamic metadata, by hand.
fn forged() -> Question {
    let list = |items: &[&str]| Value {
        kind: Some(Kind::ListValue(ListValue { values: items.iter().map(|item| text(item)).collect() })),
    };
    let facts = structure(&[
        ("issuer", text("https://idp.example")),
        ("subject", text("mallory")),
        ("kind", text("person")),
        ("groups", list(&[])),
        ("amr", list(&["mfa"])),
        ("acr", list(&[])),
        ("not_after", Value { kind: Some(Kind::NumberValue(9_000_000_000.0)) }),
    ]);
    Question { metadata: Some(facts), ..Question::anonymous() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn facts_in_metadata_count_for_the_upstream_half_alone() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    assert_eq!(process(&channel, &forged()).await.no(), (401, "missing_token"));
    let downstream = [("x-bouncer-half", "downstream")];
    let upstream = [("x-bouncer-half", "upstream")];
    assert_eq!(as_half(&channel, &forged(), &downstream).await.no(), (401, "missing_token"));
    // No facts, facts of another shape, and a token instead of facts.
    let mut odd = forged();
    odd.metadata.as_mut().unwrap().fields.insert("not_after".to_owned(), text("later"));
    for question in [Question::anonymous(), odd, Question::chat(&direct.token())] {
        assert_eq!(as_half(&channel, &question, &upstream).await.no(), (500, "misconfigured"));
    }
    let key = format!("Bearer {}", direct.key);
    assert_eq!(as_half(&channel, &forged(), &upstream).await.authorization(), key);

    // The real way: what the one half says is what the other reads.
    let Said::Go { set, removed, facts } =
        as_half(&channel, &Question::chat(&direct.token()), &downstream).await
    else {
        panic!("refused")
    };
    assert!(set.is_empty() && removed == ["authorization"], "{removed:?}");
    let facts = facts.unwrap().fields["bouncer"].clone();
    let Some(Kind::StructValue(facts)) = facts.kind else { panic!("{facts:?}") };
    let question = Question { metadata: Some(facts), ..Question::anonymous() };
    assert_eq!(as_half(&channel, &question, &upstream).await.authorization(), key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_half_that_nobody_knows_ends_with_an_error() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    for half in ["", "Upstream", "both"] {
        let wiring = [("x-bouncer-half", half)];
        let answer = as_half(&channel, &Question::chat(&direct.token()), &wiring).await;
        assert_eq!(answer.no(), (500, "misconfigured"), "{half:?}");
    }
    let twice = [("x-bouncer-half", "downstream"), ("x-bouncer-half", "upstream")];
    let answer = as_half(&channel, &Question::chat(&direct.token()), &twice).await;
    assert_eq!(answer.no(), (500, "misconfigured"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn header_lines_are_set_by_raw_value_and_overwrite() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token())
        .line("X_Api_Key", "mine")
        .line("cookie", "a=b")
        .line("openai-organization", "mine");
    let Said::Go { set, removed, facts } = process(&channel, &question).await else { panic!("refused") };
    assert!(facts.is_none());
    assert_eq!(set.len(), 1);
    for option in &set {
        let line = option.header.as_ref().unwrap();
        assert!(line.value.is_empty() && !line.raw_value.is_empty(), "{}", line.key);
        assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    }
    for name in ["authorization", "X_Api_Key", "cookie", "openai-organization"] {
        assert!(removed.iter().any(|removed| removed == name), "{name} in {removed:?}");
    }
    let refused = process(&channel, &Question::anonymous()).await;
    assert_eq!(refused.header("x-request-id"), ["request-1"]);
    assert_eq!(refused.header("www-authenticate"), ["Bearer"]);
    let Said::No { headers, .. } = refused else { panic!("let through") };
    for option in headers {
        assert!(option.header.as_ref().unwrap().value.is_empty());
        assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    }
    let twice = Question::anonymous().line("x-request-id", "request-2");
    assert!(process(&channel, &twice).await.header("x-request-id").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_method_in_another_spelling_is_no_method() {
    let direct = Direct::start();
    let mut connection = Raw::connect(direct.grpc).await;
    let message = prost::Message::encode_to_vec(&Question::chat(&direct.token()).message());
    for path in [
        format!("/{PROCESS}"),
        format!("{PROCESS}/"),
        PROCESS.to_lowercase(),
        PROCESS.replace("/Process", "//Process"),
        PROCESS.replace("/Process", "/./Process"),
        PROCESS.replace("/Process", "%2FProcess"),
        PROCESS.replace("ExternalProcessor", "externalProcessor"),
        format!("{PROCESS}?x"),
        format!("{PROCESS}%00"),
        "/".to_owned(),
        "/envoy.service.ext_proc.v3.ExternalProcessor".to_owned(),
    ] {
        let mut stream = connection.open(&path).await.unwrap();
        stream.frame(&message);
        stream.close();
        assert_eq!(stream.end().await.unwrap(), Code::Unimplemented, "{path}");
    }
}

#[test]
fn a_method_without_its_slash_is_reset() {
    let direct = Direct::start();
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "bouncer"),
        (":path", PROCESS.trim_start_matches('/')),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        // RFC 7541 section 6.2.2: a literal that is not indexed; every length here fits its prefix.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let mut socket = TcpStream::connect(direct.grpc).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend(block);
    socket.write_all(&bytes).unwrap();
    // The first frame about the stream is RST_STREAM (3) or, about the connection, GOAWAY (7); never HEADERS (1).
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).unwrap();
        let [a, b, c, kind, _, stream @ ..] = head;
        let mut payload = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
        socket.read_exact(&mut payload).unwrap();
        if stream == [0, 0, 0, 1] || kind == 7 {
            assert!([3, 7].contains(&kind), "frame {kind}");
            break;
        }
    }
}
