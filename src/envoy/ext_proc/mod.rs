//! `envoy.service.ext_proc.v3.ExternalProcessor`.

mod exchange;
mod feedback;
mod order;
mod request;
mod response;

use std::future::{Ready, ready};
use std::sync::Arc;

use bytes::Bytes;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use self::exchange::Exchange;
use super::codec::BytesIn;
use super::current::Current;
use super::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::pipeline::Cause;
use crate::request::Half;

/// The service.
#[derive(Clone)]
pub struct ExternalProcessor(Arc<Current>);

impl ExternalProcessor {
    /// Its one method.
    pub const PROCESS: &'static str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
    /// Its name, for health.
    pub const NAME: &'static str = "envoy.service.ext_proc.v3.ExternalProcessor";

    /// The service on `current`.
    #[must_use]
    pub fn new(current: Arc<Current>) -> Self {
        Self(current)
    }

    /// Serves one call of [`ExternalProcessor::PROCESS`].
    pub async fn process<B>(&self, request: http::Request<B>) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let limits = self.0.limits();
        let mut grpc = Grpc::new(BytesIn::<ProcessingResponse>::default())
            .max_decoding_message_size(limits.max_body.saturating_add(limits.max_headers.saturating_mul(2)));
        grpc.streaming(self.clone(), request).await
    }
}

impl StreamingService<Bytes> for ExternalProcessor {
    type Response = ProcessingResponse;
    type ResponseStream = Exchange;
    type Future = Ready<Result<Response<Exchange>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let wiring = Wiring::read(request.metadata());
        ready(Ok(Response::new(Exchange::new(Arc::clone(&self.0), request.into_inner(), wiring))))
    }
}

/// What the operator wrote into `grpc_service.initial_metadata`. Envoy sends it; no client can.
#[derive(Debug)]
struct Wiring {
    named_provider: Option<String>,
    half: Half,
}

impl Wiring {
    /// A wiring that cannot be read refuses every request of its filter, with a log line that says why.
    fn read(metadata: &MetadataMap) -> Result<Self, Cause> {
        let only = |key: &str, wrong: Cause| {
            let mut values = metadata.get_all(key).iter();
            match (values.next().map(|value| value.to_str()), values.next()) {
                (None, _) => Ok(None),
                (Some(Ok(text)), None) => Ok(Some(text)),
                _ => Err(wrong),
            }
        };
        let half = match only("x-bouncer-half", Cause::Half)? {
            None => Half::Whole,
            Some("downstream") => Half::Downstream,
            Some("upstream") => Half::Upstream,
            Some(_) => return Err(Cause::Half),
        };
        let named_provider = only("x-bouncer-provider", Cause::UnknownProvider)?.map(str::to_owned);
        Ok(Self { named_provider, half })
    }
}
