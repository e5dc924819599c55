//! Routes a call to its service by its exact path: another spelling is another method, and UNIMPLEMENTED.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower_service::Service as _;

use super::tls::Peer;
use crate::envoy::{Authorization, Current, DESCRIPTORS, ExternalProcessor};

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Call = Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>;

/// Every gRPC service of the server. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    ext_proc: ExternalProcessor,
    ext_authz: Authorization,
    health: HealthServer<HealthService>,
    reflection: Call,
    reflection_v1alpha: Call,
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
            ext_proc: ExternalProcessor::new(Arc::clone(&current)),
            ext_authz: Authorization::new(current),
            health: HealthServer::new(HealthService::from_health_reporter(health.0.clone())),
            reflection: boxed(reflection().build_v1()?),
            reflection_v1alpha: boxed(reflection().build_v1alpha()?),
        };
        Ok((services, health))
    }

    /// Answers one call.
    pub async fn call(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        if peer == Peer::Refused {
            return Status::unauthenticated("the peer's certificate is not in listen.tls.allowed_peers")
                .into_http();
        }
        // Compared whole, a query too: grpc-go once routed a method whose path an interceptor had compared in another
        // spelling (CVE-2026-33186).
        match request.uri().path_and_query().map_or("", PathAndQuery::as_str) {
            ExternalProcessor::PROCESS => self.ext_proc.process(request).await,
            Authorization::CHECK => self.ext_authz.check(request).await,
            "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch" => {
                self.health.clone().call(request).await.unwrap_or_else(never)
            }
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => (self.reflection)(request).await,
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                (self.reflection_v1alpha)(request).await
            }
            _ => Status::new(Code::Unimplemented, "no such method").into_http(),
        }
    }
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
