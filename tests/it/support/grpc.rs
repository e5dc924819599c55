//! Envoy's side of both protocols, by the full message types of another project.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption, Metadata};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as CheckedRequest};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest, ProcessingResponse};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::PATIENCE;

/// A request of a caller's, to be asked about in either protocol.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) lines: Vec<HeaderValue>,
    /// Cluster for ext_proc, named provider for ext_authz.
    pub(crate) provider: String,
    /// Dynamic metadata of namespace `bouncer`.
    pub(crate) metadata: Option<Struct>,
}

/// The client's half of a Process stream.
pub(crate) struct Stream {
    out: Option<mpsc::UnboundedSender<ProcessingRequest>>,
    answers: Streaming<ProcessingResponse>,
}

/// What bouncer said, in words that both protocols have.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Go { set: Vec<HeaderValueOption>, removed: Vec<String>, facts: Option<Struct> },
    No { status: u16, code: String, headers: Vec<HeaderValueOption> },
}

impl Question {
    /// A chat completion with this token, for `openai`.
    pub(crate) fn chat(token: &str) -> Self {
        Self::anonymous().line("authorization", format!("Bearer {token}"))
    }

    /// The same without a token.
    pub(crate) fn anonymous() -> Self {
        let question = Self { lines: Vec::new(), provider: "openai".to_owned(), metadata: None };
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "llm.example"),
            (":path", "/v1/chat/completions"),
            ("x-request-id", "request-1"),
        ]
        .into_iter()
        .fold(question, |question, (name, value)| question.line(name, value))
    }

    /// One more line.
    pub(crate) fn line(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let raw_value = value.as_ref().to_vec();
        self.lines.push(HeaderValue { key: name.to_owned(), value: String::new(), raw_value });
        self
    }

    /// Without the lines of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.lines.retain(|line| line.key != name);
        self
    }

    /// For another provider.
    pub(crate) fn to(self, provider: &str) -> Self {
        Self { provider: provider.to_owned(), ..self }
    }

    /// As ext_proc's first message.
    pub(crate) fn message(&self) -> ProcessingRequest {
        let headers = Some(HeaderMap { headers: self.lines.clone() });
        let attributes = structure(&[("xds.cluster_name", text(&self.provider))]);
        ProcessingRequest {
            request: Some(Phase::RequestHeaders(HttpHeaders { headers, ..HttpHeaders::default() })),
            attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes)]),
            metadata_context: self.metadata.clone().map(|facts| Metadata {
                filter_metadata: HashMap::from([("bouncer".to_owned(), facts)]),
                ..Metadata::default()
            }),
            ..ProcessingRequest::default()
        }
    }

    /// As ext_authz' message, with `encode_raw_headers`.
    pub(crate) fn check(&self) -> CheckRequest {
        let pseudo = |name: &str| {
            let line = self.lines.iter().find(|line| line.key == name);
            line.map(|line| String::from_utf8_lossy(&line.raw_value).into_owned()).unwrap_or_default()
        };
        let http = HttpRequest {
            method: pseudo(":method"),
            path: pseudo(":path"),
            host: pseudo(":authority"),
            header_map: Some(HeaderMap { headers: self.lines.clone() }),
            ..HttpRequest::default()
        };
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(CheckedRequest { http: Some(http), ..CheckedRequest::default() }),
                context_extensions: HashMap::from([("provider".to_owned(), self.provider.clone())]),
                ..AttributeContext::default()
            }),
        }
    }
}

impl Stream {
    /// Opens a stream with this initial metadata.
    pub(crate) async fn open(channel: &Channel, metadata: &[(&'static str, &str)]) -> Result<Self, Status> {
        let (out, messages) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(messages));
        for (name, value) in metadata {
            request.metadata_mut().append(*name, MetadataValue::try_from(*value).unwrap());
        }
        let mut client = ExternalProcessorClient::new(channel.clone());
        let answers =
            timeout(PATIENCE, client.process(request)).await.expect("the stream never began")?.into_inner();
        Ok(Self { out: Some(out), answers })
    }

    /// Sends a message. Whether it arrives is seen by the answer.
    pub(crate) fn send(&self, message: ProcessingRequest) {
        let _ = self.out.as_ref().expect("this side is closed").send(message);
    }

    /// Sends another part of the exchange.
    pub(crate) fn phase(&self, phase: Phase) {
        self.send(ProcessingRequest { request: Some(phase), ..ProcessingRequest::default() });
    }

    /// Ends this side.
    pub(crate) fn close(&mut self) {
        self.out = None;
    }

    /// The next answer, none at an end with OK.
    pub(crate) async fn next(&mut self) -> Result<Option<ProcessingResponse>, Status> {
        timeout(PATIENCE, self.answers.message()).await.expect("no answer and no end")
    }

    /// The status of an end without another answer.
    pub(crate) async fn end(&mut self) -> tonic::Code {
        match self.next().await {
            Ok(None) => tonic::Code::Ok,
            Ok(Some(answer)) => panic!("an answer instead of the end: {answer:?}"),
            Err(status) => status.code(),
        }
    }
}

/// Asks by ext_proc, on a stream of its own.
pub(crate) async fn process(channel: &Channel, question: &Question) -> Said {
    as_half(channel, question, &[]).await
}

/// Asks by ext_proc with initial metadata.
pub(crate) async fn as_half(
    channel: &Channel,
    question: &Question,
    metadata: &[(&'static str, &str)],
) -> Said {
    said(&question.message(), &mut Stream::open(channel, metadata).await.unwrap()).await
}

/// Sends one message and reads its answer.
pub(crate) async fn said(message: &ProcessingRequest, stream: &mut Stream) -> Said {
    stream.send(message.clone());
    Said::processed(stream.next().await.unwrap().expect("an end without an answer"))
}

/// Asks by ext_authz.
pub(crate) async fn check(channel: &Channel, request: CheckRequest) -> Result<CheckResponse, Status> {
    let mut client = AuthorizationClient::new(channel.clone());
    let answer = timeout(PATIENCE, client.check(request)).await.expect("no answer to a check");
    answer.map(tonic::Response::into_inner)
}

impl Said {
    /// Of an answer to request headers.
    pub(crate) fn processed(answer: ProcessingResponse) -> Self {
        match answer.response {
            Some(Response::RequestHeaders(headers)) => {
                let mutation = headers.response.and_then(|common| common.header_mutation).unwrap_or_default();
                let (set, removed) = (mutation.set_headers, mutation.remove_headers);
                Self::Go { set, removed, facts: answer.dynamic_metadata }
            }
            Some(Response::ImmediateResponse(no)) => Self::No {
                status: u16::try_from(no.status.unwrap().code).unwrap(),
                code: no.details.strip_prefix("bouncer_").unwrap().to_owned(),
                headers: no.headers.unwrap_or_default().set_headers,
            },
            other => panic!("not an answer to request headers: {other:?}"),
        }
    }

    /// Status and code of a refusal.
    #[track_caller]
    pub(crate) fn no(&self) -> (u16, &str) {
        match self {
            Self::No { status, code, .. } => (*status, code),
            Self::Go { .. } => panic!("let through"),
        }
    }

    /// The `authorization` that goes on the request.
    #[track_caller]
    pub(crate) fn authorization(&self) -> String {
        let Self::Go { set, .. } = self else { panic!("{:?}", self.no()) };
        let line = set.iter().filter_map(|set| set.header.as_ref()).find(|line| line.key == "authorization");
        String::from_utf8(line.expect("no authorization").raw_value.clone()).unwrap()
    }

    /// The values of a header of a refusal.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let lines = match self {
            Self::No { headers, .. } => headers,
            Self::Go { set, .. } => set,
        };
        let lines = lines.iter().filter_map(|option| option.header.as_ref());
        let lines = lines.filter(|line| line.key == name);
        lines.map(|line| String::from_utf8(line.raw_value.clone()).unwrap()).collect()
    }
}

/// A text of a structure.
pub(crate) fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

/// A structure.
pub(crate) fn structure(members: &[(&str, Value)]) -> Struct {
    Struct { fields: members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect() }
}
