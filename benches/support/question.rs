//! What a server is asked, as Envoy asks it over ext_proc or ext_authz, and the answers that count.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request as Asked};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::envoy::service::ext_proc::v3::common_response::ResponseStatus;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Timestamp, Value};
use prost::Message;

use super::config::{ENTRY, KEY};
use super::{Failure, chat};

/// The cluster that the request is routed to.
pub(crate) const CLUSTER: &str = "openai";

/// The headers of the request that a server has to take away.
pub(crate) const REMOVED: [&str; 3] = ["authorization", "cookie", "openai-organization"];

/// The pseudo headers of the question.
const PSEUDO: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "llm.example.com"),
    (":path", "/v1/chat/completions"),
];

/// What a caller adds to the lines of every chat completion, the token aside.
const ADDED: [(&str, &str); 3] = [
    ("content-length", "2411"),
    ("openai-organization", "org-of-the-caller"),
    ("cookie", "session=c2Vzc2lvbiBvZiB0aGUgY2FsbGVy"),
];

/// The 23 headers that Envoy passes on.
fn headers(bearer: &str) -> impl Iterator<Item = (&str, &str)> {
    PSEUDO.into_iter().chain(chat::REQUEST).chain(ADDED).chain([("authorization", bearer)])
}

/// Which of Envoy's two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// A stream a request.
    ExtProc,
    /// A call a request.
    ExtAuthz,
}

/// What a server is asked: gRPC frames (flag, length, message).
#[derive(Clone)]
pub(crate) struct Question {
    /// How.
    pub(crate) protocol: Protocol,
    /// The one that is sent as the nth, encoded beforehand where it is the same each time.
    pub(crate) nth: Arc<dyn Fn(usize) -> Bytes + Send + Sync>,
    /// The response's headers, sent once the request's are answered, to a server that asks for them.
    pub(crate) response: Option<Bytes>,
    /// The answer that is right.
    pub(crate) expected: Expected,
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// On with the request, the key on it.
    Permit,
    /// No, with this status.
    Refusal(i32),
}

impl Protocol {
    /// As in tables.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ExtProc => "ext_proc",
            Self::ExtAuthz => "ext_authz",
        }
    }

    /// The method.
    #[must_use]
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::ExtProc => "/envoy.service.ext_proc.v3.ExternalProcessor/Process",
            Self::ExtAuthz => "/envoy.service.auth.v3.Authorization/Check",
        }
    }

    /// The frame with the headers of a request of the bearer of `token`, routed to `cluster`.
    #[must_use]
    pub(crate) fn ask(self, token: &str, cluster: &str) -> Bytes {
        match self {
            Self::ExtProc => process(token, cluster),
            Self::ExtAuthz => check(token, cluster),
        }
    }
}

impl Question {
    /// The same each time.
    #[must_use]
    pub(crate) fn one(protocol: Protocol, token: &str) -> Self {
        let frame = protocol.ask(token, CLUSTER);
        Self::made(protocol, move |_| frame.clone())
    }

    /// Those of `frames` in turn.
    #[must_use]
    pub(crate) fn in_turn(protocol: Protocol, frames: Vec<Bytes>) -> Self {
        Self::made(protocol, move |nth| frames.get(nth % frames.len().max(1)).cloned().unwrap_or_default())
    }

    /// Each made when it is its turn.
    #[must_use]
    pub(crate) fn made(protocol: Protocol, nth: impl Fn(usize) -> Bytes + Send + Sync + 'static) -> Self {
        Self { protocol, nth: Arc::new(nth), response: None, expected: Expected::Permit }
    }

    /// The same, followed by the headers of the provider's answer.
    #[must_use]
    pub(crate) fn with_response(self) -> Self {
        let headers = HttpHeaders { headers: Some(lines(chat::RESPONSE)), ..HttpHeaders::default() };
        let message = ProcessingRequest {
            request: Some(Request::ResponseHeaders(headers)),
            ..ProcessingRequest::default()
        };
        Self { response: Some(frame(&message)), ..self }
    }

    /// The same, to be refused with this status.
    #[must_use]
    pub(crate) fn refused(self, status: i32) -> Self {
        Self { expected: Expected::Refusal(status), ..self }
    }

    /// Whether `message` (without the gRPC frame) is the right answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn judge(&self, message: &[u8]) -> Result<(), Failure> {
        match self.protocol {
            Protocol::ExtProc => judge_process(message, self.expected),
            Protocol::ExtAuthz => judge_check(message, self.expected),
        }
    }
}

fn process(token: &str, cluster: &str) -> Bytes {
    let bearer = format!("Bearer {token}");
    let headers = Some(lines(headers(&bearer)));
    let message = ProcessingRequest {
        request: Some(Request::RequestHeaders(HttpHeaders { headers, ..HttpHeaders::default() })),
        attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes(cluster))]),
        protocol_config: Some(ProtocolConfiguration::default()),
        ..ProcessingRequest::default()
    };
    frame(&message)
}

fn lines<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let line = |(key, value): (&str, &str)| HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    };
    HeaderMap { headers: lines.into_iter().map(line).collect() }
}

fn check(token: &str, cluster: &str) -> Bytes {
    let bearer = format!("Bearer {token}");
    let headers = headers(&bearer).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pseudo = |wanted: &str| {
        PSEUDO
            .iter()
            .find(|(name, _)| *name == wanted)
            .map_or_else(String::new, |(_, value)| (*value).to_owned())
    };
    let http = HttpRequest {
        id: "12893471982374918273".to_owned(),
        method: pseudo(":method"),
        host: pseudo(":authority"),
        path: pseudo(":path"),
        scheme: pseudo(":scheme"),
        protocol: "HTTP/2".to_owned(),
        size: 2411,
        headers: headers.collect(),
        ..HttpRequest::default()
    };
    let time = Some(Timestamp { seconds: 1_795_000_000, nanos: 123_456_000 });
    let peer = |address: &str, port| {
        let socket = SocketAddress {
            address: address.to_owned(),
            port_specifier: Some(PortSpecifier::PortValue(port)),
            ..SocketAddress::default()
        };
        let address = Some(Address { address: Some(AddressKind::SocketAddress(socket)) });
        Some(Peer { address, ..Peer::default() })
    };
    // What `route.typed_per_filter_config` says: ext_authz is not told the cluster.
    let entry = if cluster == CLUSTER { ENTRY } else { cluster };
    let attributes = AttributeContext {
        source: peer("10.1.2.3", 40312),
        destination: peer("10.1.0.1", 8443),
        request: Some(Asked { time, http: Some(http) }),
        context_extensions: HashMap::from([("provider".to_owned(), entry.to_owned())]),
        ..AttributeContext::default()
    };
    frame(&CheckRequest { attributes: Some(attributes) })
}

fn frame(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

fn attributes(cluster: &str) -> Struct {
    let fields = [
        ("xds.cluster_name", cluster),
        ("xds.route_name", "chat"),
        ("request.host", "llm.example.com"),
        ("request.path", "/v1/chat/completions"),
        ("source.address", "10.1.2.3:40312"),
    ];
    let value = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    Struct { fields: fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect() }
}

fn judge_process(message: &[u8], expected: Expected) -> Result<(), Failure> {
    let answer = ProcessingResponse::decode(message)?;
    let common = match (answer.response, expected) {
        (Some(Response::RequestHeaders(headers)), Expected::Permit) => headers.response.unwrap_or_default(),
        (Some(Response::ImmediateResponse(no)), Expected::Refusal(status))
            if no.status.as_ref().is_some_and(|no| no.code == status) =>
        {
            return Ok(());
        }
        (other, _) => return Err(format!("{expected:?} was to be answered: {other:?}").into()),
    };
    let mutation = common.header_mutation.clone().unwrap_or_default();
    let set = mutation.set_headers.as_slice();
    if common.status == i32::from(ResponseStatus::Continue)
        && is_key(set, |header| header.raw_value.as_slice())
        && removes(&mutation.remove_headers)
    {
        return Ok(());
    }
    Err(format!("a wrong mutation: {common:?}").into())
}

fn judge_check(message: &[u8], expected: Expected) -> Result<(), Failure> {
    let answer = CheckResponse::decode(message)?;
    match (answer.http_response, expected) {
        (Some(HttpResponse::OkResponse(ok)), Expected::Permit)
            if is_key(&ok.headers, |header| header.value.as_bytes()) && removes(&ok.headers_to_remove) =>
        {
            Ok(())
        }
        (Some(HttpResponse::DeniedResponse(no)), Expected::Refusal(status))
            if no.status.as_ref().is_some_and(|no| no.code == status) =>
        {
            Ok(())
        }
        (other, _) => Err(format!("{expected:?} was to be answered: {other:?}").into()),
    }
}

/// Whether just the provider's credential is set. A token that is renewed is as long as the key and not the same.
fn is_key(set: &[HeaderValueOption], value: fn(&HeaderValue) -> &[u8]) -> bool {
    let [set] = set else { return false };
    let header = set.header.clone().unwrap_or_default();
    let credential = value(&header).strip_prefix(b"Bearer ").unwrap_or_default();
    set.append_action == i32::from(HeaderAppendAction::OverwriteIfExistsOrAdd)
        && header.key == "authorization"
        && credential.len() == KEY.len()
        && (credential == KEY.as_bytes() || credential.iter().all(u8::is_ascii_digit))
}

/// `authorization` is overwritten: a server may remove it first and need not.
fn removes(removed: &[String]) -> bool {
    REMOVED.iter().skip(1).all(|name| removed.iter().any(|removed| removed == name))
}
