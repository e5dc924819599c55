//! Routes a call to its service by its exact path: another spelling is another method, and UNIMPLEMENTED.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower_service::Service as _;

use super::tls::Peer;
use crate::envoy::{Answers, Authorization, Checking, Current, DESCRIPTORS, ExternalProcessor, Local};

type Later = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Call = Arc<dyn Fn(Request<Incoming>) -> Later + Send + Sync>;

/// What a call is answered with: Envoy's two without a box, the others in tonic's.
#[derive(Debug)]
pub enum Answer {
    /// An ext_proc stream.
    Process(Answers<Incoming>),
    /// An ext_authz check.
    Check(Checking<Incoming>),
    /// Health, reflection, a refusal.
    Other(Body),
}

/// The response to a call: Envoy's are there at once, what they wait for is in their bodies.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box for it would be one a request"
)]
pub enum Answering {
    /// It is there; none once it was taken.
    Now(Option<Response<Answer>>),
    /// It is being made.
    Later(Later),
}

/// Every gRPC service of the server. Each worker serves from a copy of its own.
#[derive(Clone)]
pub struct Services {
    current: Arc<Current>,
    health: HealthServer<HealthService>,
    reflection: Call,
    reflection_v1alpha: Call,
}

/// The services of one worker.
pub struct LocalServices {
    ext_proc: ExternalProcessor,
    ext_authz: Authorization,
    others: Services,
    current: Local,
}

/// Sets what `grpc.health.v1.Health` answers.
#[derive(Clone, Debug)]
pub struct Health(HealthReporter);

impl Services {
    /// The services on `current`, NOT_SERVING until [`Health::serving`] is told.
    ///
    /// # Errors
    /// Only if the descriptors that were compiled in were damaged.
    pub async fn new(current: Arc<Current>) -> Result<(Self, Health), tonic_reflection::server::Error> {
        let health = Health(HealthReporter::new());
        health.not_serving().await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let services = Self {
            current,
            health: HealthServer::new(HealthService::from_health_reporter(health.0.clone())),
            reflection: boxed(reflection().build_v1()?),
            reflection_v1alpha: boxed(reflection().build_v1alpha()?),
        };
        Ok((services, health))
    }

    /// The services of the worker on whose thread this is called.
    #[must_use]
    pub fn local(&self) -> LocalServices {
        let current = Local::new(Arc::clone(&self.current));
        LocalServices {
            ext_proc: ExternalProcessor::new(current.clone()),
            ext_authz: Authorization::new(current.clone()),
            others: self.clone(),
            current,
        }
    }
}

impl LocalServices {
    /// The server as this worker has it.
    #[must_use]
    pub fn current(&self) -> &Local {
        &self.current
    }

    /// Answers one call.
    pub fn call(&self, peer: Peer, request: Request<Incoming>) -> Answering {
        if peer == Peer::Refused {
            return refused(Status::unauthenticated(
                "the peer's certificate is not in listen.tls.allowed_peers",
            ));
        }
        // Compared whole, a query too: grpc-go once routed a method whose path an interceptor had compared in another
        // spelling (CVE-2026-33186).
        match request.uri().path_and_query().map_or("", PathAndQuery::as_str) {
            ExternalProcessor::PROCESS => {
                Answering::Now(Some(self.ext_proc.process(request).map(Answer::Process)))
            }
            Authorization::CHECK => Answering::Now(Some(self.ext_authz.check(request).map(Answer::Check))),
            "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch" => {
                let mut health = self.others.health.clone();
                Answering::Later(Box::pin(async move { health.call(request).await.unwrap_or_else(never) }))
            }
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => {
                Answering::Later((self.others.reflection)(request))
            }
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                Answering::Later((self.others.reflection_v1alpha)(request))
            }
            _ => refused(Status::new(Code::Unimplemented, "no such method")),
        }
    }
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // hyper polls no further.
                None => Poll::Pending,
            },
            Self::Later(response) => {
                response.as_mut().poll(context).map(|response| Ok(response.map(Answer::Other)))
            }
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Process(answers) => {
                Pin::new(answers).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(never)))
            }
            Self::Check(check) => {
                Pin::new(check).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(never)))
            }
            Self::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Process(answers) => answers.is_end_stream(),
            Self::Check(check) => check.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Process(_) | Self::Check(_) => SizeHint::default(),
            Self::Other(body) => body.size_hint(),
        }
    }
}

/// A response that is nothing but a status.
fn refused(status: Status) -> Answering {
    Answering::Now(Some(status.into_http().map(Answer::Other)))
}

impl Health {
    const SERVICES: [&str; 3] = ["", ExternalProcessor::NAME, Authorization::NAME];

    /// SERVING, for each service and overall.
    pub async fn serving(&self) {
        self.set(ServingStatus::Serving).await;
    }

    /// NOT_SERVING: starting.
    pub async fn not_serving(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// NOT_SERVING for good. Whoever watches is told, and its stream ends: it would hold the drain up for ever.
    pub async fn draining(&self) {
        self.not_serving().await;
        let mut reporter = self.0.clone();
        for service in Self::SERVICES {
            reporter.clear_service_status(service).await;
        }
        self.not_serving().await;
    }

    async fn set(&self, status: ServingStatus) {
        for service in Self::SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }
}

fn boxed<S>(service: S) -> Call
where
    S: tower_service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    Arc::new(move |request| {
        let mut service = service.clone();
        Box::pin(async move { service.call(request).await.unwrap_or_else(never) })
    })
}

fn never<T>(never: Infallible) -> T {
    match never {}
}
