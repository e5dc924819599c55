//! A server without a socket: the services are called with the frames that Envoy would send, and their answers are read.

#[path = "said.rs"]
mod said;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use prost::Message;
use prost_types::{Struct, Value, value::Kind};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::wire::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use super::wire::pb::envoy::service::auth::v3::CheckResponse;
use super::wire::pb::envoy::service::ext_proc::v3::processing_request::Request as Part;
use super::wire::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use super::{Authorization, Current, ExternalProcessor, Generation, Local, labels};
use crate::base::{FingerprintKey, Now, Secret};
use crate::cache::testing::PausedClock;
use crate::cache::{Handle, Held};
use crate::config::{Feedback, Limits, OnNoProvider};
use crate::credential::{ApiKey, AwsKeys, Credential, Signer, SigningSettings};
use crate::identity::{Callers, CallersSettings, CertificateSource, MtlsSettings, TrustDomain};
use crate::outbound::{Http, spawn_key_sets};
use crate::pipeline::Snapshot;
use crate::provider::{AuthType, Catalog, Glob, Match, Provider, ProviderKind};
use crate::request::{Body as Shown, EnvoyFacts, Half, Headers, RequestView};
use crate::telemetry::Metrics;
use crate::token::{Slot, Store};

pub(super) use self::said::{End, Said, Stripped};

pub(super) const KIB: usize = 1 << 10;
pub(super) const MIB: usize = 1 << 20;

/// A caller of the mesh, and the host that is signed.
const CALLER: &str = "spiffe://mesh/app";
pub(super) const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";

/// Two entries by cluster: `plain` has a key, `aws` signs.
pub(crate) struct Bench {
    pub(crate) current: Arc<Current>,
    signer: Signer,
}

/// One call, as Envoy sees it.
pub(super) struct Call {
    out: Option<mpsc::UnboundedSender<Result<Bytes, Status>>>,
    answers: Pin<Box<dyn Body<Data = Bytes, Error = Infallible>>>,
    time: Pin<Box<dyn Future<Output = ()>>>,
    read: BytesMut,
    /// How long the DATA frames were.
    pub(super) frames: Vec<usize>,
    code: Option<Code>,
}

/// What a client sends.
pub(super) struct Sent(mpsc::UnboundedReceiver<Result<Bytes, Status>>);

impl Body for Sent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.poll_recv(context).map(|sent| sent.map(|sent| sent.map(Frame::data)))
    }
}

impl Bench {
    pub(crate) fn new(limits: Limits, feedback: Feedback) -> Self {
        let metrics = Arc::new(Metrics::new(labels()));
        let (generation, signer) = Self::generation(&limits, feedback, "mesh", &metrics);
        let current = Arc::new(Current::new(generation, PausedClock::new(), metrics, limits));
        Self { current, signer }
    }

    /// From now on the configuration takes callers of the mesh `domain` only.
    pub(super) fn trusts(&self, domain: &str) {
        let (limits, metrics) = (self.current.limits(), self.current.metrics());
        self.current.replace(Self::generation(limits, Feedback::Off, domain, metrics).0);
    }

    fn generation(
        limits: &Limits,
        feedback: Feedback,
        domain: &str,
        metrics: &Metrics,
    ) -> (Generation, Signer) {
        let provider = |name: &str, kind, auth| Provider {
            name: Arc::from(name),
            kind,
            auth,
            mfa: None,
            matches: Match { cluster: vec![Glob::new(name).unwrap()], ..Match::default() },
        };
        let providers = vec![
            provider("plain", ProviderKind::OpenAi, AuthType::ApiKey),
            provider("aws", ProviderKind::Bedrock, AuthType::AwsSigV4),
        ];
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("a secret of tests".to_owned()),
            session_token: None,
        };
        let signer = Signer::new(keys, None, Arc::new(SigningSettings::default()));
        let key = ApiKey {
            key: Secret::new("sk-own".to_owned()),
            organization: None,
            project: None,
            expires_at: None,
        };
        let kind = ProviderKind::OpenAi;
        let fingerprints = FingerprintKey::random().unwrap();
        let credentials = [
            key.credential(kind, &kind.api_key_placement()).unwrap(),
            Credential::Signer(Box::new(signer.clone())),
        ];
        let slots = credentials.map(|credential| {
            let (handle, id) = (Handle::default(), credential.fingerprint(&fingerprints));
            handle.put(Held::new(credential, id, None));
            Slot::Fixed(Arc::new(handle))
        });
        let mtls = MtlsSettings {
            from: CertificateSource::Attributes,
            trust_domains: vec![TrustDomain::parse(domain).unwrap()],
        };
        let callers =
            Arc::new(Callers::new(CallersSettings { mtls: Some(mtls), ..CallersSettings::default() }));
        let snapshot = Snapshot {
            generation: 1,
            catalog: Catalog::new(providers).unwrap(),
            callers: Arc::clone(&callers),
            tokens: Store::new(slots, fingerprints),
            credential_headers: vec!["authorization".to_owned()],
            feedback: Box::new([Feedback::Off, feedback]),
            clocks: Arc::default(),
            max_body: limits.max_body,
            on_no_provider: OnNoProvider::Deny,
        };
        (Generation::new(snapshot, spawn_key_sets(callers, Http::new().unwrap()), metrics), signer)
    }

    /// With a small budget, so that its end is soon reached.
    pub(super) fn small() -> Self {
        let limits = Limits { max_body: 2 * MIB, body_memory: 4 * MIB, ..Limits::default() };
        Self::new(limits, Feedback::Off)
    }

    /// Bytes of the budget that are free.
    pub(super) fn free(&self) -> usize {
        self.current.bodies().free()
    }

    /// Opens a stream.
    pub(super) async fn process(&self) -> Call {
        let (out, sent) = mpsc::unbounded_channel();
        let request =
            http::Request::builder().method("POST").uri(ExternalProcessor::PROCESS).body(Sent(sent));
        let local = Local::new(Arc::clone(&self.current));
        let service = ExternalProcessor::new(local.clone());
        Call::new(out, service.process(request.unwrap()), local)
    }

    /// Opens a stream and sends the headers.
    pub(super) async fn asked(&self, request: &ProcessingRequest) -> Call {
        let call = self.process().await;
        call.send(request);
        call
    }

    /// Asks ext_authz.
    pub(super) async fn check(&self, frames: Vec<Bytes>) -> Result<CheckResponse, Code> {
        let (out, sent) = mpsc::unbounded_channel();
        let request = http::Request::builder().method("POST").uri(Authorization::CHECK).body(Sent(sent));
        for frame in frames {
            out.send(Ok(frame)).unwrap();
        }
        drop(out);
        let local = Local::new(Arc::clone(&self.current));
        let service = Authorization::new(local.clone());
        let (out, _) = mpsc::unbounded_channel();
        let mut call = Call::new(out, service.check(request.unwrap()), local);
        call.message().await
    }

    /// The `authorization` of a request with this body, signed now.
    pub(super) fn signature(&self, lines: &[(&str, &str)], body: &[u8]) -> String {
        let headers: Headers<'_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let envoy = EnvoyFacts::default();
        let mut view = RequestView::new(headers, envoy, Half::Whole).unwrap();
        view.body = Shown::Whole(body);
        let clocks = &self.current.generation().snapshot.clocks;
        let (set, _) = self.signer.sign(&view, self.now(), clocks).unwrap();
        let line = set.iter().find(|line| &*line.name == b"authorization").unwrap();
        String::from_utf8(line.value.wire().to_vec()).unwrap()
    }

    pub(super) fn now(&self) -> Now {
        self.current.now()
    }
}

impl Call {
    fn new(
        out: mpsc::UnboundedSender<Result<Bytes, Status>>,
        response: http::Response<impl Body<Data = Bytes, Error = Infallible> + 'static>,
        local: Local,
    ) -> Self {
        let code = Status::from_header_map(response.headers()).map(|status| status.code());
        Self {
            out: Some(out),
            answers: Box::pin(response.into_body()),
            time: Box::pin(async move { local.keep_time().await }),
            read: BytesMut::new(),
            frames: Vec::new(),
            code,
        }
    }

    pub(super) fn send(&self, request: &ProcessingRequest) {
        self.out.as_ref().unwrap().send(Ok(frame(request))).unwrap();
    }

    pub(super) fn part(&self, part: Part) {
        self.send(&ProcessingRequest { request: Some(part), ..ProcessingRequest::default() });
    }

    pub(super) fn body(&self, body: &[u8], end_of_stream: bool) {
        self.part(Part::RequestBody(HttpBody { body: body.to_vec(), end_of_stream }));
    }

    /// The client's side is over.
    pub(super) fn close(&mut self) {
        self.out = None;
    }

    /// The stream is reset.
    pub(super) fn reset(&mut self) {
        let _ = self.out.take().unwrap().send(Err(Status::cancelled("reset")));
    }

    async fn message<M: Message + Default>(&mut self) -> Result<M, Code> {
        loop {
            if self.read.len() >= 5 {
                let length = u32::from_be_bytes(self.read[1..5].try_into().unwrap()) as usize;
                if self.read.len() >= 5 + length {
                    self.read.advance(5);
                    return Ok(M::decode(self.read.split_to(length)).unwrap());
                }
            }
            let frame = std::future::poll_fn(|context| {
                let _never = self.time.as_mut().poll(context);
                self.answers.as_mut().poll_frame(context)
            })
            .await;
            match frame.map(|frame| frame.unwrap().into_data()) {
                Some(Ok(data)) => {
                    self.frames.push(data.len());
                    self.read.extend_from_slice(&data);
                }
                Some(Err(frame)) => {
                    let trailers = frame.into_trailers().unwrap();
                    self.code = Status::from_header_map(&trailers).map(|status| status.code());
                }
                None => return Err(self.code.unwrap()),
            }
        }
    }

    /// The next answer, or the code of the end.
    pub(super) async fn next(&mut self) -> Result<ProcessingResponse, Code> {
        self.message().await
    }

    /// What the next answer says.
    pub(super) async fn said(&mut self) -> Said {
        Said::of(&self.next().await.unwrap())
    }

    /// The next answer where there is one without waiting.
    pub(super) async fn ready(&mut self) -> Option<Result<ProcessingResponse, Code>> {
        tokio::time::timeout(std::time::Duration::ZERO, self.next()).await.ok()
    }
}

/// The lines of a request to `HOST`, of which the caller's own token is one.
pub(super) const LINES: [(&str, &str); 4] = [
    (":method", "POST"),
    (":authority", HOST),
    (":path", "/model/anthropic.claude-v1%3A0/converse"),
    ("authorization", "Bearer the-callers-own"),
];

/// The headers of a request to `cluster`, with these lines beside [`LINES`].
pub(super) fn headers(cluster: &str, lines: &[(&str, &str)]) -> ProcessingRequest {
    let all = LINES.iter().chain(lines);
    let headers = all.map(|(name, value)| HeaderValue {
        key: (*name).to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    });
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let attributes = [
        ("xds.cluster_name", text(cluster)),
        ("connection.mtls", Value { kind: Some(Kind::BoolValue(true)) }),
        ("connection.uri_san_peer_certificate", text(CALLER)),
    ];
    let attributes =
        Struct { fields: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() };
    let headers = Some(HeaderMap { headers: headers.collect() });
    ProcessingRequest {
        request: Some(Part::RequestHeaders(HttpHeaders { headers, end_of_stream: false })),
        attributes: [("envoy.filters.http.ext_proc".to_owned(), attributes)].into(),
        ..ProcessingRequest::default()
    }
}

/// The same from a filter with this request_body_mode.
pub(super) fn in_mode(mode: i32, request: ProcessingRequest) -> ProcessingRequest {
    let protocol_config = Some(ProtocolConfiguration { request_body_mode: mode, response_body_mode: 0 });
    ProcessingRequest { protocol_config, ..request }
}

/// A message as gRPC frames it.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

/// Bytes that differ from place to place.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}
