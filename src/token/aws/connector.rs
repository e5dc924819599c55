//! The HTTP client of AWS's SDK: our own, so that there is one TLS, one proxy, one bound on what is read and one rule of what
//! may be reached. What the SDK is refused, it is not shown: the reason is kept here, for our own errors.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use reqwest::Method;
use thiserror::Error;
use url::{Host, Url};

use super::refusal::refusal;
use super::{CONTAINER, INSTANCE, STS};
use crate::base::{Secret, SecretBytes, UnixTime};
use crate::outbound::{OutboundError, Reach, Request, Response};
use crate::token::json::Object;
use crate::token::{AnswerFault, Leg, Legs, Origin, Outward, SourceError, SourceErrorKind, expires_at};

/// No answer is larger.
const LIMIT: usize = 64 << 10;

/// The only content type of a request to STS.
const FORM: &str = "application/x-www-form-urlencoded";

/// The way out, and what came of each use of it.
#[derive(Clone)]
pub(super) struct Connector {
    outward: Outward,
    /// Where unsigned requests to STS go; none: where the SDK sends them.
    sts: Option<Url>,
    /// The first answer has to begin within this time.
    within: Option<Duration>,
    told: Arc<Mutex<Told>>,
}

#[derive(Debug, Default)]
struct Told {
    legs: Legs,
    failure: Option<SourceError>,
}

/// What the SDK is told of a failure.
#[derive(Clone, Copy, Debug, Error)]
#[error("the request failed")]
struct Failed;

impl Connector {
    pub(super) fn new(outward: &Outward, sts: Option<Url>) -> Self {
        Self { outward: outward.clone(), sts, within: None, told: Arc::default() }
    }

    /// The exchanges so far, and the failure of the last one, where it failed.
    pub(super) fn told(&self) -> (Legs, Option<SourceError>) {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        (told.legs, told.failure)
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Failed> {
        let (url, leg) = self.place(&request).ok_or(Failed)?;
        let began = self.outward.clock.now();
        let sending = self.send(&request, &url);
        let sent = match self.within {
            None => sending.await,
            Some(within) => {
                tokio::time::timeout(within, sending).await.unwrap_or(Err(OutboundError::Timeout.into()))
            }
        };
        let now = self.outward.clock.now();
        let result = sent.and_then(|response| match response.status {
            200 => check(&response, leg, now.unix).map(|()| response).map_err(SourceErrorKind::from),
            _ => Err(refusal(&response, now.unix)),
        });
        let took = now.instant.saturating_duration_since(began.instant);
        let to = Origin::of(&url);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.legs.push(Leg {
            name: leg,
            hop: None,
            to: to.clone(),
            took,
            lives: None,
            succeeded: result.is_ok(),
        });
        match result {
            Ok(response) => {
                told.failure = None;
                answer(&response).ok_or(Failed)
            }
            Err(kind) => {
                told.failure = Some(SourceError::new(leg, Some(to), kind));
                Err(Failed)
            }
        }
    }

    async fn send(&self, request: &HttpRequest, url: &Url) -> Result<Response, SourceErrorKind> {
        let unsendable = OutboundError::Unsendable;
        let method = Method::from_bytes(request.method().as_bytes()).map_err(|_| unsendable)?;
        let body = request.body().bytes().ok_or(unsendable)?;
        let body = (!body.is_empty()).then(|| (FORM, SecretBytes::new(body.to_vec())));
        // The client itself writes these, from the body and the URL.
        let own = |name: &str| ["content-length", "content-type", "host"].contains(&name);
        let headers = request.headers().iter().filter(|(name, _)| !own(name));
        let headers = headers.map(|(name, value)| (name.to_owned().into(), Secret::new(value.to_owned())));
        let request =
            Request { method, url, reach: reach(url), headers: headers.collect(), body, limit: LIMIT };
        self.outward.http.send(request).await.map_err(|error| self.outward.unreached(error))
    }

    /// Where a request goes, and what that is called.
    fn place(&self, request: &HttpRequest) -> Option<(Url, &'static str)> {
        let url = Url::parse(request.uri()).ok()?;
        let of_instance = match url.host() {
            Some(Host::Ipv4(address)) => address.octets() == [169, 254, 169, 254],
            Some(Host::Ipv6(address)) => address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
            _ => false,
        };
        if request.method() == "POST" {
            let signed = request.headers().contains_key("authorization");
            return Some((self.sts.clone().filter(|_| !signed).unwrap_or(url), STS));
        }
        let leg = if of_instance || url.path().starts_with("/latest/") { INSTANCE } else { CONTAINER };
        Some((url, leg))
    }
}

/// Plain http is for the machine's own services, https for the world.
fn reach(url: &Url) -> Reach {
    if url.scheme() == "http" { Reach::Metadata } else { Reach::World }
}

/// Looks at keys before the SDK does. In an outage the instance's service hands out old ones, and the SDK would give them
/// another ten minutes; what it cannot read of a container's service, it would ask for again and again.
fn check(response: &Response, leg: &str, now: UnixTime) -> Result<(), AnswerFault> {
    let body = Object::parse(response.body.expose());
    let end = body.as_ref().and_then(|body| expires_at::parse(body.plain("Expiration")?));
    let is_whole = || {
        let has = |name| body.as_ref().and_then(|body| body.text(name)).is_some();
        has("AccessKeyId") && has("SecretAccessKey") && has("Token")
    };
    match end {
        Some(end) if end <= now => Err(AnswerFault::Over),
        None if leg == CONTAINER => Err(AnswerFault::AwsMetadata),
        Some(_) if leg == CONTAINER && !is_whole() => Err(AnswerFault::AwsMetadata),
        _ => Ok(()),
    }
}

fn answer(response: &Response) -> Option<HttpResponse> {
    let status = StatusCode::try_from(response.status).ok()?;
    let mut answer = HttpResponse::new(status, SdkBody::from(response.body.expose().clone()));
    for name in ["content-type", "date", "x-aws-ec2-metadata-token-ttl-seconds"] {
        if let Some(value) = response.header(name) {
            answer.headers_mut().try_insert(name, value.to_owned()).ok()?;
        }
    }
    Some(answer)
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        // Of no kind that the SDK would try again: that is for the cache to decide.
        let failed = |failed: Failed| ConnectorError::other(failed.into(), None);
        HttpConnectorFuture::new(async move { this.exchange(request).await.map_err(failed) })
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let within =
            settings.connect_timeout().zip(settings.read_timeout()).map(|(connect, read)| connect + read);
        SharedHttpConnector::new(Self { within, ..self.clone() })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
