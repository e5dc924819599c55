//! What is asked: a chat completion as an SDK sends it and as Envoy tells of it, encoded once.

use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Uri};
use thiserror::Error;

use super::callers::Callers;
use super::check::Expectation;
use super::plan::Protocol;
use super::{messages, plan};

/// A caller's request, and what Envoy knows of it.
#[derive(Clone, Debug)]
pub struct Question {
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// Header lines beside the usual ones, or in their place; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Which header carries the caller's token: `authorization` has `Bearer` before it, the others have nothing.
    pub token_header: String,
    /// Attribute `xds.cluster_name` (ext_proc).
    pub cluster: Option<String>,
    /// Attribute `xds.route_name` (ext_proc).
    pub route: Option<String>,
    /// The provider that Envoy's configuration names: initial metadata `x-bouncer-provider`, with ext_authz the context
    /// extension `provider`.
    pub provider: Option<String>,
    /// Initial metadata of the call, as in `grpc_service.initial_metadata`.
    pub metadata: Vec<(String, String)>,
    /// `metadata_context`: namespace, key, value.
    pub filter_metadata: Vec<(String, String, String)>,
    /// `context_extensions` (ext_authz).
    pub extensions: Vec<(String, String)>,
    /// URI SAN of the caller's certificate.
    pub peer_uri: Option<String>,
    /// How long the request's body is.
    pub body: usize,
    /// When Envoy shows it.
    pub body_shown: BodyShown,
    /// Which messages Envoy sends.
    pub phases: Phases,
}

/// When a server sees the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyShown {
    /// ext_proc: where it asks for it (`mode_override`). ext_authz: never.
    OnDemand,
    /// ext_authz: in `raw_body`, as `with_request_body` does. ext_proc: where it asks for it.
    Always,
}

/// Which messages Envoy sends in a stream (ext_proc).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// The request's headers.
    Request,
    /// And the headers of the provider's answer.
    RequestAndResponse,
}

/// A question for each caller, encoded.
pub struct Questions {
    pub(super) protocol: Protocol,
    pub(super) expectation: Expectation,
    pub(super) token_header: String,
    /// The gRPC call.
    pub(super) head: Request<()>,
    /// Of the first caller.
    first: Bytes,
    /// Where in it the token is.
    token: Option<std::ops::Range<usize>>,
    callers: Callers,
    /// The body's message, for a server that asks for it.
    pub(super) body: Option<Bytes>,
    /// The response's headers, sent once the request is answered.
    pub(super) response: Option<Bytes>,
}

/// What cannot be asked.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum QuestionError {
    /// Initial metadata that no HTTP/2 header can carry.
    #[error("{0:?} cannot be initial metadata: a header name and printable ASCII are")]
    Metadata(String),
    /// The token does not stand in the message as it is.
    #[error("a token may only hold the characters of a header value")]
    Token,
    /// gRPC has 4 bytes for a length.
    #[error("the message would be too long")]
    TooLong,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            authority: "llm.example.com".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: Vec::new(),
            token_header: "authorization".to_owned(),
            cluster: None,
            route: Some("chat".to_owned()),
            provider: None,
            metadata: Vec::new(),
            filter_metadata: Vec::new(),
            extensions: Vec::new(),
            peer_uri: None,
            body: 2_411,
            body_shown: BodyShown::OnDemand,
            phases: Phases::Request,
        }
    }
}

impl Questions {
    /// Encodes `question` for `callers`.
    ///
    /// # Errors
    /// [`QuestionError`] says what to change.
    pub fn new(
        target: &plan::Target,
        question: &Question,
        callers: Callers,
        expectation: Expectation,
    ) -> Result<Self, QuestionError> {
        let token = callers.first();
        let first = match target.protocol {
            Protocol::ExtProc => messages::request_headers(question, token),
            Protocol::ExtAuthz => messages::check(question, token),
        };
        let first = frame(&first)?;
        let token =
            token.map(|token| find(&first, token.as_bytes()).ok_or(QuestionError::Token)).transpose()?;
        let response = match (target.protocol, question.phases) {
            (Protocol::ExtProc, Phases::RequestAndResponse) => Some(frame(&messages::response_headers())?),
            _ => None,
        };
        let body = match target.protocol {
            Protocol::ExtProc => Some(frame(&messages::request_body(question.body))?),
            Protocol::ExtAuthz => None,
        };
        Ok(Self {
            protocol: target.protocol,
            expectation,
            token_header: question.token_header.clone(),
            head: head(target, question)?,
            first,
            token,
            callers,
            body,
            response,
        })
    }

    /// How many callers there are.
    #[must_use]
    pub fn callers(&self) -> usize {
        self.callers.count()
    }

    /// The first message of a caller: a gRPC frame.
    pub(super) fn of(&self, caller: usize) -> Bytes {
        match &self.token {
            Some(token) if self.callers.count() > 1 => {
                let mut frame = BytesMut::from(&*self.first);
                if let Some(place) = frame.get_mut(token.clone()) {
                    self.callers.write(caller, place);
                }
                frame.freeze()
            }
            _ => self.first.clone(),
        }
    }

    /// The caller's token in its first message.
    pub(super) fn token<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        message.get(self.token.clone()?)
    }
}

impl fmt::Debug for Questions {
    /// Without the messages: they have tokens in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Questions({:?}, {:?}, {} bytes)", self.protocol, self.callers, self.first.len())
    }
}

/// The call as Envoy makes it.
fn head(target: &plan::Target, question: &Question) -> Result<Request<()>, QuestionError> {
    let path = match target.protocol {
        Protocol::ExtProc => "/envoy.service.ext_proc.v3.ExternalProcessor/Process",
        Protocol::ExtAuthz => "/envoy.service.auth.v3.Authorization/Check",
    };
    let scheme = if target.tls.is_some() { "https" } else { "http" };
    // Envoy puts its cluster's name there.
    let uri = Uri::builder().scheme(scheme).authority("bouncer").path_and_query(path).build();
    let mut request = Request::post(uri.unwrap_or_default())
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("x-envoy-internal", "true")
        .header("x-forwarded-for", "10.1.2.3")
        .header("x-envoy-expected-rq-timeout-ms", "1000")
        .body(())
        .map_err(|_| QuestionError::Metadata(path.to_owned()))?;
    let named = question.provider.iter().filter(|_| target.protocol == Protocol::ExtProc);
    let named = named.map(|provider| ("x-bouncer-provider", provider.as_str()));
    let others = question.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in named.chain(others) {
        let wrong = || QuestionError::Metadata(name.to_owned());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        request.headers_mut().append(name.clone(), HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(request)
}

/// Flag, length, message.
fn frame(message: &[u8]) -> Result<Bytes, QuestionError> {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).map_err(|_| QuestionError::TooLong)?);
    frame.put_slice(message);
    Ok(frame.freeze())
}

fn find(text: &[u8], part: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = text.windows(part.len().max(1)).position(|window| window == part)?;
    Some(start..start + part.len())
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
