//! Envoy's messages, by the full types of another project: an encoder that knows nothing of the server's own.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, Metadata, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request as Checked};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use prost::Message as _;

use super::chat;
use super::question::{BodyShown, Question};

/// A documentation address (RFC 5737).
const CALLER: &str = "203.0.113.7";
const PORT: u32 = 40_312;

/// What the question does not say, beside the lines of every chat completion.
const HEADERS: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "https"),
    ("x-forwarded-for", CALLER),
    ("x-envoy-external-address", CALLER),
];

/// ext_proc's first message.
pub(super) fn request_headers(question: &Question, token: Option<&str>) -> Vec<u8> {
    let headers = HttpHeaders {
        headers: Some(HeaderMap { headers: lines(question, token) }),
        end_of_stream: question.body == 0,
        ..HttpHeaders::default()
    };
    ProcessingRequest {
        request: Some(Request::RequestHeaders(headers)),
        attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes(question))]),
        metadata_context: metadata(question),
        protocol_config: Some(ProtocolConfiguration::default()),
        ..ProcessingRequest::default()
    }
    .encode_to_vec()
}

/// The whole body, as Envoy sends one that it has buffered.
pub(super) fn request_body(length: usize) -> Vec<u8> {
    let body = HttpBody { body: body(length), end_of_stream: true, ..HttpBody::default() };
    ProcessingRequest { request: Some(Request::RequestBody(body)), ..ProcessingRequest::default() }
        .encode_to_vec()
}

/// The headers of the provider's answer.
pub(super) fn response_headers() -> Vec<u8> {
    let headers = chat::RESPONSE.map(|(name, value)| line(name, value)).to_vec();
    let headers = HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
    ProcessingRequest { request: Some(Request::ResponseHeaders(headers)), ..ProcessingRequest::default() }
        .encode_to_vec()
}

/// ext_authz' one message: the headers as a map, as Envoy sends them without `encode_raw_headers`.
pub(super) fn check(question: &Question, token: Option<&str>) -> Vec<u8> {
    let peer = |address: &str, port, principal: &str| Peer {
        address: Some(Address {
            address: Some(AddressKind::SocketAddress(SocketAddress {
                address: address.to_owned(),
                port_specifier: Some(PortSpecifier::PortValue(port)),
                ..SocketAddress::default()
            })),
        }),
        principal: principal.to_owned(),
        ..Peer::default()
    };
    let mut headers: HashMap<String, String> = HashMap::new();
    for HeaderValue { key, raw_value, .. } in lines(question, token) {
        let value = String::from_utf8_lossy(&raw_value).into_owned();
        headers.entry(key).and_modify(|before| *before = format!("{before},{value}")).or_insert(value);
    }
    let http = HttpRequest {
        id: "1042863577101427293".to_owned(),
        method: "POST".to_owned(),
        headers,
        path: question.path.clone(),
        host: question.authority.clone(),
        scheme: "https".to_owned(),
        size: i64::try_from(question.body).unwrap_or(i64::MAX),
        protocol: "HTTP/2".to_owned(),
        raw_body: match question.body_shown {
            BodyShown::OnDemand => Vec::new(),
            BodyShown::Always => body(question.body),
        },
        ..HttpRequest::default()
    };
    let named = question.provider.iter().map(|provider| ("provider".to_owned(), provider.clone()));
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer(CALLER, PORT, question.peer_uri.as_deref().unwrap_or_default())),
            destination: Some(peer("192.0.2.10", 8_443, "")),
            request: Some(Checked { time: None, http: Some(http) }),
            context_extensions: named.chain(question.extensions.iter().cloned()).collect(),
            metadata_context: metadata(question),
            ..AttributeContext::default()
        }),
    }
    .encode_to_vec()
}

fn lines(question: &Question, token: Option<&str>) -> Vec<HeaderValue> {
    let own = |name: &str| question.headers.iter().any(|(own, _)| own == name);
    let length = question.body.to_string();
    let fixed = [(":authority", &question.authority), (":path", &question.path), ("content-length", &length)];
    let fixed = fixed.iter().map(|(name, value)| (*name, value.as_str()));
    let mut lines: Vec<_> = HEADERS.into_iter().chain(chat::REQUEST).chain(fixed).collect();
    // Pseudo headers come first (RFC 9113 section 8.3).
    lines.sort_by_key(|(name, _)| !name.starts_with(':'));
    lines.retain(|(name, _)| !own(name));
    let mut lines: Vec<_> = lines.into_iter().map(|(name, value)| line(name, value)).collect();
    lines.extend(question.headers.iter().map(|(name, value)| line(name, value)));
    if let Some(token) = token {
        let prefix = if question.token_header == "authorization" { "Bearer " } else { "" };
        lines.push(line(&question.token_header, &format!("{prefix}{token}")));
    }
    lines
}

/// Envoy fills in `raw_value` only.
fn line(name: &str, value: &str) -> HeaderValue {
    HeaderValue { key: name.to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() }
}

fn attributes(question: &Question) -> Struct {
    let mut fields = vec![
        ("request.host", text(&question.authority)),
        ("request.path", text(&question.path)),
        ("source.address", text(&format!("{CALLER}:{PORT}"))),
    ];
    let named = [("xds.cluster_name", &question.cluster), ("xds.route_name", &question.route)];
    fields.extend(named.into_iter().filter_map(|(name, value)| Some((name, text(value.as_deref()?)))));
    if let Some(uri) = &question.peer_uri {
        fields.push(("connection.mtls", Value { kind: Some(Kind::BoolValue(true)) }));
        fields.push(("connection.uri_san_peer_certificate", text(uri)));
    }
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}

fn metadata(question: &Question) -> Option<Metadata> {
    let mut filter_metadata: HashMap<_, Struct> = HashMap::new();
    for (namespace, key, value) in &question.filter_metadata {
        filter_metadata.entry(namespace.clone()).or_default().fields.insert(key.clone(), text(value));
    }
    (!filter_metadata.is_empty()).then(|| Metadata { filter_metadata, ..Metadata::default() })
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

/// What a chat completion looks like from outside: JSON with a long text in it.
fn body(length: usize) -> Vec<u8> {
    const START: &[u8] = br#"{"model":"gpt-5","messages":[{"role":"user","content":""#;
    const END: &[u8] = br#""}]}"#;
    let Some(filling) = length.checked_sub(START.len() + END.len()) else { return vec![b' '; length] };
    let words = b"lorem ipsum dolor sit amet ".iter().copied().cycle().take(filling);
    START.iter().copied().chain(words).chain(END.iter().copied()).collect()
}
