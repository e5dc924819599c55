//! A `CheckRequest`, read in place.

use crate::envoy::facts::RouteMetadata;
use crate::envoy::headers::{HeaderMapError, read_map};
use crate::envoy::wire::{Fields, WireError, map_entry, once};
use crate::request::{EnvoyFacts, Half, Headers, PeerFacts, RequestError, RequestView};

/// The parts of the message that are read.
#[derive(Default)]
pub(super) struct Check<'a> {
    http: Option<&'a [u8]>,
    principal: Option<&'a str>,
    route_metadata: Option<&'a [u8]>,
    /// `context_extensions.provider`.
    named_provider: Option<&'a str>,
    /// `context_extensions.half`: ext_authz cannot be a half, and must not be taken for a whole by mistake.
    pub(super) half: Option<&'a str>,
}

impl<'a> Check<'a> {
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, WireError> {
        let mut attributes = None;
        for field in Fields::of(frame) {
            if let (1, value) = field? {
                once(&mut attributes, value.bytes()?)?;
            }
        }
        let mut check = Self::default();
        for field in Fields::of(attributes.unwrap_or_default()) {
            match field? {
                (1, source) => check.principal = read_principal(source.bytes()?)?,
                (4, request) => check.http = nested(request.bytes()?, 2)?,
                (10, entry) => match map_entry(entry.bytes()?)? {
                    ("provider", name) => once(&mut check.named_provider, utf8(name)?)?,
                    ("half", half) => once(&mut check.half, utf8(half)?)?,
                    _ => {}
                },
                (13, metadata) => once(&mut check.route_metadata, metadata.bytes()?)?,
                _ => {}
            }
        }
        Ok(check)
    }

    pub(super) fn metadata(&self) -> RouteMetadata<'a> {
        RouteMetadata(self.route_metadata)
    }

    /// Puts the view together.
    pub(super) fn view<'v>(&self, metadata: &'v RouteMetadata<'a>) -> Result<RequestView<'v>, HeaderMapError>
    where
        'a: 'v,
    {
        let headers = read_http(self.http.ok_or(RequestError::PseudoHeader(":method"))?)?;
        let facts = EnvoyFacts {
            named_provider: self.named_provider,
            cluster: None,
            route: None,
            metadata,
            peer: PeerFacts { principal: self.principal, ..PeerFacts::default() },
            upstream: false,
            verified: None,
        };
        Ok(RequestView::new(headers, facts, Half::Whole)?)
    }
}

/// Method, path and host have fields of their own; the same lines inside the header map are passed over.
fn read_http(http: &[u8]) -> Result<Headers<'_>, HeaderMapError> {
    let (mut method, mut path, mut host, mut map, mut body, mut raw_body) =
        (None, None, None, None, None, None);
    let mut headers = Headers::default();
    let mut lines = Headers::default();
    let mut count = 0;
    for field in Fields::of(http) {
        match field? {
            (2, value) => once(&mut method, value.bytes()?)?,
            (3, entry) => {
                count += 1;
                if count > 1_000 {
                    return Err(RequestError::TooManyHeaders.into());
                }
                let (name, value) = map_entry(entry.bytes()?)?;
                lines.push(name, value);
            }
            (4, value) => once(&mut path, value.bytes()?)?,
            (5, value) => once(&mut host, value.bytes()?)?,
            (11, value) => once(&mut body, value.bytes()?)?,
            (12, value) => once(&mut raw_body, value.bytes()?)?,
            (13, value) => once(&mut map, value.bytes()?)?,
            _ => {}
        }
    }
    if body.is_some_and(|body| !body.is_empty()) && raw_body.is_some_and(|body| !body.is_empty()) {
        return Err(RequestError::TwoValues.into());
    }
    for (name, value) in [(":method", method), (":path", path), (":authority", host)] {
        headers.push(name, value.unwrap_or_default());
    }
    if let Some(map) = map {
        read_map(map, &mut lines)?;
    }
    for line in lines.iter().filter(|line| !line.name.starts_with(':')) {
        headers.push(line.name, line.value);
    }
    Ok(headers)
}

fn read_principal(source: &[u8]) -> Result<Option<&str>, WireError> {
    Ok(nested(source, 4)?.map(utf8).transpose()?.filter(|principal| !principal.is_empty()))
}

fn nested(message: &[u8], number: u32) -> Result<Option<&[u8]>, WireError> {
    let mut found = None;
    for field in Fields::of(message) {
        match field? {
            (at, value) if at == number => once(&mut found, value.bytes()?)?,
            _ => {}
        }
    }
    Ok(found)
}

fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    str::from_utf8(bytes).map_err(|_| WireError::Utf8)
}
