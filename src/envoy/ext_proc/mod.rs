//! `envoy.service.ext_proc.v3.ExternalProcessor`.

mod exchange;
mod feedback;
mod order;
mod request;
mod response;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;

pub use self::exchange::Answers;
use self::exchange::Exchange;
use super::grpc::{Inbound, head};
use super::local::Local;
use crate::pipeline::Cause;
use crate::request::Half;

/// The service.
#[derive(Clone)]
pub struct ExternalProcessor(Local);

impl ExternalProcessor {
    /// Its one method.
    pub const PROCESS: &'static str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
    /// Its name, for health.
    pub const NAME: &'static str = "envoy.service.ext_proc.v3.ExternalProcessor";

    /// The service on `current`.
    #[must_use]
    pub fn new(current: Local) -> Self {
        Self(current)
    }

    /// Serves one call of [`ExternalProcessor::PROCESS`].
    pub fn process<B>(&self, request: Request<B>) -> Response<Answers<B>>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        let (parts, body) = request.into_parts();
        let exchange = Exchange::new(self.0.clone(), Wiring::read(&parts.headers));
        head(Answers::new(exchange, Inbound::new(body, self.0.limits().longest_message())))
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
    fn read(metadata: &HeaderMap) -> Result<Self, Cause> {
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
