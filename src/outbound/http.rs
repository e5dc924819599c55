//! The HTTP client: rustls, no redirects, no cookies, no compression, bounded time and bodies.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, ClientBuilder, Response, redirect};
use url::{Host, Url};

use super::OutboundError;

/// From the first packet to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(3);

/// A client for small documents.
#[derive(Clone, Debug)]
pub struct Http {
    /// May go through the proxy that the environment names.
    world: Client,
    /// Never does.
    loopback: Client,
    deadline: Duration,
}

/// Whether a connection to `url` may be opened: https, or http to a loopback address, without user name or password.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    let scheme = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    };
    scheme && url.username().is_empty() && url.password().is_none()
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
        // The provider of the process, if `serve` did not choose it before; whoever was first stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let build = |builder: fn() -> ClientBuilder| {
            builder()
                .build()
                // No roots on this machine: an empty set refuses every https server instead of stopping the start.
                .or_else(|_| builder().tls_certs_only([]).build())
                .map_err(|_| OutboundError::Client)
        };
        Ok(Self { world: build(builder)?, loopback: build(|| builder().no_proxy())?, deadline })
    }

    /// Fetches a JSON document of at most `limit` bytes by GET. Reads no further than that, and never longer than 5 s.
    ///
    /// # Errors
    /// [`OutboundError`]: keep what you have and try later.
    pub async fn document(&self, url: &Url, limit: usize) -> Result<Bytes, OutboundError> {
        if !is_secure(url) {
            return Err(OutboundError::InsecureUrl);
        }
        let client = if is_loopback(url) { &self.loopback } else { &self.world };
        let fetch = async {
            let response = client.get(url.clone()).send().await.map_err(kind)?;
            check(&response, limit)?;
            body(response, limit).await
        };
        tokio::time::timeout(self.deadline, fetch).await.unwrap_or(Err(OutboundError::Timeout))
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .tls_backend_rustls()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("bouncer/", env!("CARGO_PKG_VERSION")))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761 section 6.3: never anything else.
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn check(response: &Response, limit: usize) -> Result<(), OutboundError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(OutboundError::Redirect);
    }
    if status != 200 {
        return Err(OutboundError::Status(status.as_u16()));
    }
    // Nothing was offered in Accept-Encoding.
    if response.headers().contains_key(CONTENT_ENCODING) {
        return Err(OutboundError::Document);
    }
    if response.headers().get(CONTENT_TYPE).is_some_and(|kind| !is_json(kind.as_bytes())) {
        return Err(OutboundError::Document);
    }
    match response.content_length() {
        Some(length) if length > limit as u64 => Err(OutboundError::TooLarge(limit)),
        _ => Ok(()),
    }
}

/// JSON of any kind, and what plain file servers say of a file they do not know. Not a page for people.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence.ends_with(b"json")
        || [&b"text/plain"[..], b"application/octet-stream", b"binary/octet-stream"].contains(&&*essence)
}

async fn body(mut response: Response, limit: usize) -> Result<Bytes, OutboundError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(kind)? {
        if chunk.len() > limit - body.len() {
            return Err(OutboundError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The error without its URL: a query may hold what nobody else should read.
fn kind(error: reqwest::Error) -> OutboundError {
    if error.is_timeout() { OutboundError::Timeout } else { OutboundError::Connect }
}
