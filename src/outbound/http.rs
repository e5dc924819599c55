//! The HTTP client: rustls, no redirects, no cookies, no compression, bounded time and bodies.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use url::Url;
use zeroize::Zeroizing;

#[cfg(test)]
use super::address::Lookup;
use super::address::{Forbidden, system};
use super::clients::Clients;
use super::request::KEPT;
use super::{ClientTls, OutboundError, Reach, Request, Response};
use crate::base::SecretBytes;

/// From the first packet to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// What a body takes at first.
const BODY: usize = 8 << 10;

/// A client for small documents and token endpoints. Proxies are those of the environment (`HTTPS_PROXY`, `ALL_PROXY`,
/// `NO_PROXY`); loopback and metadata services are never asked through one. Behind a proxy, it resolves the names.
#[derive(Clone, Debug)]
pub struct Http {
    clients: Clients,
    deadline: Duration,
}

impl Http {
    /// A client that trusts the system's roots. Without any (an empty image), only http to loopback will work.
    ///
    /// # Errors
    /// [`OutboundError::Client`]: the machine lacks something that a client needs.
    pub fn new() -> Result<Self, OutboundError> {
        Self::with_deadline(DEADLINE)
    }

    pub(super) fn with_deadline(deadline: Duration) -> Result<Self, OutboundError> {
        Ok(Self { clients: Clients::new(system())?, deadline })
    }

    #[cfg(test)]
    pub(super) fn with_lookup(lookup: Lookup, deadline: Duration) -> Result<Self, OutboundError> {
        Ok(Self { clients: Clients::new(lookup)?, deadline })
    }

    /// The same with TLS of its own. The files are read when they are first needed, and again when they changed.
    #[must_use]
    pub fn with_tls(&self, tls: ClientTls) -> Self {
        Self { clients: self.clients.with_tls(tls), deadline: self.deadline }
    }

    /// TLS of its own.
    #[must_use]
    pub fn tls(&self) -> Option<&ClientTls> {
        self.clients.tls()
    }

    /// Fetches a JSON document of at most `limit` bytes by GET. Reads no further than that, and never longer than 5 s.
    ///
    /// # Errors
    /// [`OutboundError`]: keep what you have and try later.
    pub async fn document(&self, url: &Url, limit: usize) -> Result<Bytes, OutboundError> {
        let request =
            Request { method: Method::GET, url, reach: Reach::World, headers: Vec::new(), body: None, limit };
        let response = self.send(request).await?;
        if response.status != 200 {
            return Err(OutboundError::Status(response.status));
        }
        match response.header("content-type") {
            Some(kind) if !is_json(kind.as_bytes()) => Err(OutboundError::Document),
            _ => Ok(response.body.expose().clone()),
        }
    }

    /// Sends a request and reads its answer, never longer than 5 s.
    ///
    /// # Errors
    /// [`OutboundError`]: there is no whole answer. Statuses are none, but for redirects.
    pub async fn send(&self, request: Request<'_>) -> Result<Response, OutboundError> {
        request.reach.check(request.url)?;
        let exchange = async {
            let client = self.clients.client(request.url, request.reach).await?;
            let mut outgoing = client.request(request.method, request.url.clone());
            if let Some((kind, body)) = request.body {
                let body = Body::from(body.expose().clone());
                outgoing = outgoing.header(CONTENT_TYPE, kind).body(body);
            }
            let mut headers = HeaderMap::new();
            for (name, value) in &request.headers {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| OutboundError::Unsendable)?;
                let value = SecretBytes::new(value.expose().as_bytes().to_vec());
                let mut value = HeaderValue::from_maybe_shared(value.expose().clone())
                    .map_err(|_| OutboundError::Unsendable)?;
                value.set_sensitive(true);
                headers.append(name, value);
            }
            let response = outgoing.headers(headers).send().await.map_err(|error| kind(&error))?;
            read(response, request.limit).await
        };
        tokio::time::timeout(self.deadline, exchange).await.unwrap_or(Err(OutboundError::Timeout))
    }
}

async fn read(mut response: reqwest::Response, limit: usize) -> Result<Response, OutboundError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(OutboundError::Redirect);
    }
    // Nothing was offered in Accept-Encoding.
    if response.headers().contains_key(CONTENT_ENCODING) {
        return Err(OutboundError::Document);
    }
    let length = match response.content_length() {
        Some(length) => usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)
            .ok_or(OutboundError::TooLarge(limit))?,
        None => BODY,
    };
    let kept = KEPT.into_iter().filter_map(|name| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some((name, Box::from(value)))
    });
    let headers = kept.collect();
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    while let Some(chunk) = response.chunk().await.map_err(|error| kind(&error))? {
        if chunk.len() > limit - body.len() {
            return Err(OutboundError::TooLarge(limit));
        }
        // A vector that grows by itself leaves copies behind.
        if chunk.len() > body.capacity() - body.len() {
            let more = (body.len() + chunk.len()).max(body.capacity() * 2);
            let mut larger = Zeroizing::new(Vec::with_capacity(more));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status: status.as_u16(), headers, body: SecretBytes::new(std::mem::take(&mut *body)) })
}

/// JSON of any kind, and what plain file servers say of a file they do not know. Not a page for people.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence.ends_with(b"json")
        || [&b"text/plain"[..], b"application/octet-stream", b"binary/octet-stream"].contains(&&*essence)
}

/// The error without its URL: a query may hold what nobody else should read.
fn kind(error: &reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::Timeout;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        // An `io::Error` hides what it was made of from `source`.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn Error + 'static));
        for error in [Some(error), inner].into_iter().flatten() {
            if error.is::<Forbidden>() {
                return OutboundError::Forbidden;
            }
            match error.downcast_ref::<rustls::Error>() {
                Some(rustls::Error::InvalidCertificate(_)) => return OutboundError::Certificate,
                Some(_) => return OutboundError::Tls,
                None => {}
            }
        }
        next = inner.or_else(|| error.source());
    }
    OutboundError::Connect
}
