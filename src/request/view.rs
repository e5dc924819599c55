//! The request that is decided upon: method, authority and path read once, the rest as it came.

use thiserror::Error;

use super::{Body, EnvoyFacts, Headers, Path, PathError};

/// Which part of the line a filter runs. Said by the operator in Envoy's `grpc_service.initial_metadata`, key `x-bouncer-half`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// One filter does everything.
    Whole,
    /// Verify the caller, leave the facts in dynamic metadata, remove the caller's credentials.
    Downstream,
    /// Per attempt: take the facts from dynamic metadata, decide, attach.
    Upstream,
}

/// One request.
pub struct RequestView<'a> {
    /// `:method`.
    pub method: &'a str,
    /// `:authority`, with a port if the caller sent one.
    pub authority: &'a str,
    /// `:path` as it came; [`RequestView::path`] reads it.
    pub raw_path: &'a str,
    /// All lines.
    pub headers: Headers<'a>,
    /// What Envoy says of it.
    pub envoy: EnvoyFacts<'a>,
    /// Which part of the line this filter runs.
    pub half: Half,
    /// What is known of the body; only entries that sign ask.
    pub body: Body<'a>,
}

/// Why a request cannot be decided upon. The caller gets 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// `:method`, `:authority` or `:path` is missing, empty, doubled or not text.
    #[error("{0} is missing, doubled or not text")]
    PseudoHeader(&'static str),
    /// A tunnel has no request to decide upon (CVE-2025-64763).
    #[error("CONNECT is not served")]
    Connect,
    /// The path has two readings.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A header came with two different values in one line (`value` and `raw_value`).
    #[error("a header has two values in one line")]
    TwoValues,
    /// A header that decides is not text, or a name is not.
    #[error("a header is not text")]
    NotText,
    /// More headers than any client sends.
    #[error("there are too many headers")]
    TooManyHeaders,
}

impl<'a> RequestView<'a> {
    /// Reads the pseudo headers and puts the view together.
    ///
    /// # Errors
    /// [`RequestError`] when one of them is missing, doubled or not text, or when the method is CONNECT.
    #[inline]
    pub fn new(headers: Headers<'a>, envoy: EnvoyFacts<'a>, half: Half) -> Result<Self, RequestError> {
        let (mut method, mut authority, mut raw_path) = (None, None, None);
        for line in headers.iter().filter(|line| line.name.starts_with(b":")) {
            for (name, place) in
                [(":method", &mut method), (":authority", &mut authority), (":path", &mut raw_path)]
            {
                if line.is(name) && place.replace(line.value).is_some() {
                    return Err(RequestError::PseudoHeader(name));
                }
            }
        }
        let method = text(":method", method)?;
        if method.eq_ignore_ascii_case("connect") {
            return Err(RequestError::Connect);
        }
        let (authority, raw_path) = (text(":authority", authority)?, text(":path", raw_path)?);
        Ok(Self { method, authority, raw_path, headers, envoy, half, body: Body::Empty })
    }

    /// The path, if it means one thing only.
    ///
    /// # Errors
    /// [`RequestError::Path`].
    pub fn path(&self) -> Result<Path<'a>, RequestError> {
        Ok(Path::parse(self.raw_path)?)
    }

    /// How long the body is, as the request says; none where it does not, or not in one way.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        str::from_utf8(self.headers.only("content-length")?).ok()?.parse().ok()
    }

    /// Whether a body of `length` bytes is the one that the request speaks of.
    #[must_use]
    pub fn is_long(&self, length: usize) -> bool {
        self.headers.all("content-length").next().is_none() || self.content_length() == Some(length)
    }

    /// The path without its query, for records; it may have two readings.
    #[must_use]
    pub fn path_for_the_record(&self) -> &'a str {
        self.raw_path.split(['?', '#']).next().unwrap_or_default()
    }
}

fn text<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<&'a str, RequestError> {
    value
        .and_then(|value| str::from_utf8(value).ok())
        .filter(|value| !value.is_empty())
        .ok_or(RequestError::PseudoHeader(name))
}
