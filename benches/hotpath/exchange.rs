//! The one question that every server is asked, as Envoy asks it, and the answer that counts.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::common_response::ResponseStatus;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use prost::Message as _;

use crate::Failure;
use crate::noop::{KEY, REMOVED};

/// The cluster that the request is routed to.
pub(crate) const CLUSTER: &str = "openai";

/// The 23 headers that Envoy passes on for a chat completion of the Python SDK, the token aside.
const HEADERS: [(&str, &str); 22] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "llm.example.com"),
    (":path", "/v1/chat/completions"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate"),
    ("content-type", "application/json"),
    ("content-length", "2411"),
    ("user-agent", "OpenAI/Python 2.8.1"),
    ("x-stainless-lang", "python"),
    ("x-stainless-package-version", "2.8.1"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.12.3"),
    ("x-stainless-async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
    ("openai-organization", "org-of-the-caller"),
    ("cookie", "session=c2Vzc2lvbiBvZiB0aGUgY2FsbGVy"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "0d3b1c8e-2f5a-4b8e-9a43-9f1f6a9a3d11"),
];

/// What a server is sent in a stream: gRPC frames (flag, length, message).
#[derive(Clone)]
pub(crate) struct Question {
    /// The request's headers.
    pub(crate) request: Bytes,
    /// The response's headers, sent once the request's are answered, to a server that asks for them.
    pub(crate) response: Option<Bytes>,
}

/// The question with the request's headers, `token` among them.
#[must_use]
pub(crate) fn question(token: &str) -> Question {
    let bearer = format!("Bearer {token}");
    let headers = HEADERS
        .iter()
        .copied()
        .chain([("authorization", bearer.as_str())])
        .map(|(key, value)| HeaderValue {
            key: key.to_owned(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        })
        .collect();
    let headers =
        HttpHeaders { headers: Some(HeaderMap { headers }), end_of_stream: false, ..HttpHeaders::default() };
    let message = ProcessingRequest {
        request: Some(Request::RequestHeaders(headers)),
        attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes())]),
        protocol_config: Some(ProtocolConfiguration::default()),
        ..ProcessingRequest::default()
    };
    Question { request: frame(&message), response: None }
}

impl Question {
    /// The same, followed by the headers of the provider's answer.
    #[must_use]
    pub(crate) fn with_response(self) -> Self {
        let headers = RESPONSE
            .map(|(key, value)| HeaderValue {
                key: key.to_owned(),
                value: String::new(),
                raw_value: value.as_bytes().to_vec(),
            })
            .to_vec();
        let headers = HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
        let message = ProcessingRequest {
            request: Some(Request::ResponseHeaders(headers)),
            ..ProcessingRequest::default()
        };
        Self { response: Some(frame(&message)), ..self }
    }
}

fn frame(message: &ProcessingRequest) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

/// The headers of a provider's answer.
const RESPONSE: [(&str, &str); 12] = [
    (":status", "200"),
    ("date", "Fri, 27 Nov 2026 04:00:00 GMT"),
    ("content-type", "application/json"),
    ("openai-version", "2020-10-01"),
    ("openai-processing-ms", "412"),
    ("openai-organization", "org-of-the-provider"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-request-id", "req_4f1b2c3d4e5f60718293a4b5c6d7e8f9"),
    ("x-envoy-upstream-service-time", "431"),
    ("server", "envoy"),
];

fn attributes() -> Struct {
    let fields = [
        ("xds.cluster_name", CLUSTER),
        ("xds.route_name", "chat"),
        ("request.host", "llm.example.com"),
        ("request.path", "/v1/chat/completions"),
        ("source.address", "10.1.2.3:40312"),
    ];
    let value = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    Struct { fields: fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect() }
}

/// Whether `message` (without the gRPC frame) lets the request through with the provider's key, and without what the
/// caller sent.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(message: &[u8]) -> Result<(), Failure> {
    let answer = ProcessingResponse::decode(message)?;
    let Some(Response::RequestHeaders(headers)) = answer.response else {
        return Err(format!("not an answer to request headers: {answer:?}").into());
    };
    let common = headers.response.unwrap_or_default();
    let mutation = common.header_mutation.clone().unwrap_or_default();
    let [set] = mutation.set_headers.as_slice() else {
        return Err("exactly one header was to be set".into());
    };
    let header = set.header.clone().unwrap_or_default();
    let right = common.status == i32::from(ResponseStatus::Continue)
        && set.append_action == i32::from(HeaderAppendAction::OverwriteIfExistsOrAdd)
        && header.key == "authorization"
        && header.value.is_empty()
        && header.raw_value == format!("Bearer {}", *KEY).into_bytes()
        // authorization is overwritten: a server may remove it first and need not.
        && REMOVED.iter().skip(1).all(|&name| mutation.remove_headers.iter().any(|removed| removed == name));
    if right { Ok(()) } else { Err(format!("a wrong mutation: {common:?}").into()) }
}
