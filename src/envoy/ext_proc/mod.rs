//! `envoy.service.ext_proc.v3.ExternalProcessor`.

mod exchange;
mod feedback;
mod order;
mod request;
mod response;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;

pub use self::exchange::Answers;
use self::exchange::Exchange;
use super::grpc::{Inbound, head};
use super::local::Local;
use crate::pipeline::Cause;
use crate::request::Half;

/// In `grpc_service.initial_metadata`: which half of the pair the filter is, and which provider's requests it sees.
const HALF: &str = "x-bouncer-half";
const PROVIDER: &str = "x-bouncer-provider";

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
        head(Answers::new(exchange, Inbound::new(body, self.0.limits().longest_first())))
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
        let (mut half, mut named_provider) = (None, None);
        // Once over all of it: it is a handful, and most streams have neither of the two.
        for (name, value) in metadata {
            match name.as_str() {
                HALF => only(&mut half, value).ok_or(Cause::Half)?,
                PROVIDER => only(&mut named_provider, value).ok_or(Cause::UnknownProvider)?,
                _ => {}
            }
        }
        let half = match half {
            None => Half::Whole,
            Some("downstream") => Half::Downstream,
            Some("upstream") => Half::Upstream,
            Some(_) => return Err(Cause::Half),
        };
        Ok(Self { named_provider: named_provider.map(str::to_owned), half })
    }
}

/// Puts a text in its place; none where there is one already, or it is no text.
fn only<'a>(place: &mut Option<&'a str>, value: &'a HeaderValue) -> Option<()> {
    place.replace(value.to_str().ok()?).is_none().then_some(())
}
