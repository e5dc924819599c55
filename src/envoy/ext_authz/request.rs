//! A `CheckRequest`, read in place.

use crate::envoy::facts::RouteMetadata;
use crate::envoy::headers::{HeaderMapError, MAX_LINES, read_map, text};
use crate::envoy::wire::{Fields, WireError, map_entry, once};
use crate::request::{
    Body, BodyFault, EnvoyFacts, Half, Headers, PayloadHash, PayloadHasher, PeerFacts, RequestError,
    RequestView,
};

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

/// What is known beside the message.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// The largest body that is signed.
    pub(super) limit: usize,
    /// Of the body, where it was hashed before.
    pub(super) hash: Option<PayloadHash>,
}

/// What the message says of the body.
#[derive(Clone, Copy, Default)]
struct Shown<'a> {
    raw: &'a [u8],
    /// It is there as a text.
    text: bool,
    /// Header lines say that there is one.
    announced: bool,
    /// They say how long it is, be it nothing.
    measured: bool,
    /// It was looked at.
    buffered: bool,
    /// It is cut off.
    partial: bool,
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
                    (b"provider", name) => once(&mut check.named_provider, utf8(name)?)?,
                    (b"half", half) => once(&mut check.half, utf8(half)?)?,
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

    /// The bytes of the body.
    pub(super) fn raw_body(&self) -> &'a [u8] {
        self.http.and_then(|http| nested(http, 12).ok()?).unwrap_or_default()
    }

    /// Puts the view together.
    pub(super) fn view<'v>(
        &self,
        metadata: &'v RouteMetadata<'a>,
        seen: &Seen,
    ) -> Result<RequestView<'v>, HeaderMapError>
    where
        'a: 'v,
    {
        let (headers, shown) = read_http(self.http.ok_or(RequestError::PseudoHeader(":method"))?)?;
        let facts = EnvoyFacts {
            named_provider: self.named_provider,
            cluster: None,
            route: None,
            metadata,
            peer: PeerFacts { principal: self.principal, ..PeerFacts::default() },
            upstream: false,
            verified: None,
        };
        let mut view = RequestView::new(headers, facts, Half::Whole)?;
        view.body = shown.of(&view, seen);
        Ok(view)
    }
}

/// Method, path and host have fields of their own; the same lines inside the header map are passed over.
fn read_http(http: &[u8]) -> Result<(Headers<'_>, Shown<'_>), HeaderMapError> {
    let (mut method, mut path, mut host, mut map, mut body, mut raw_body) =
        (None, None, None, None, None, None);
    let mut headers = Headers::default();
    let mut count = 0;
    for field in Fields::of(http) {
        match field? {
            (2, value) => once(&mut method, value.bytes()?)?,
            (3, entry) => {
                count += 1;
                if count > MAX_LINES {
                    return Err(RequestError::TooManyHeaders.into());
                }
                let (name, value) = map_entry(entry.bytes()?)?;
                headers.push(text(name)?, value);
            }
            (4, value) => once(&mut path, value.bytes()?)?,
            (5, value) => once(&mut host, value.bytes()?)?,
            (11, value) => once(&mut body, value.bytes()?)?,
            (12, value) => once(&mut raw_body, value.bytes()?)?,
            (13, value) => once(&mut map, value.bytes()?)?,
            _ => {}
        }
    }
    let (body, raw) = (body.unwrap_or_default(), raw_body.unwrap_or_default());
    if !body.is_empty() && !raw.is_empty() {
        return Err(RequestError::TwoValues.into());
    }
    let mut shown = Shown { raw, text: !body.is_empty(), ..Shown::default() };
    if let Some(map) = map {
        read_map(map, &mut headers)?;
    }
    headers.retain(|line| !line.name.starts_with(b":"));
    shown.note(&headers);
    for (name, value) in [(b":method".as_slice(), method), (b":path", path), (b":authority", host)] {
        headers.push(name, value.unwrap_or_default());
    }
    Ok((headers, shown))
}

impl<'a> Shown<'a> {
    /// Takes down what the lines say of the body.
    fn note(&mut self, headers: &Headers<'_>) {
        for value in headers.all("x-envoy-auth-partial-body") {
            self.buffered = true;
            self.partial |= value != b"false";
        }
        for value in headers.all("transfer-encoding").chain(headers.all("content-length")) {
            self.announced |= value != b"0";
            self.measured = true;
        }
    }

    /// Whether there may be one that Envoy keeps to itself: it takes `transfer-encoding` off, and HTTP/2 needs no length. The
    /// methods are those whose body means something (RFC 9110 section 9.3).
    fn may_be_hidden(&self, method: &str) -> bool {
        !self.measured && !self.buffered && matches!(method, "POST" | "PUT" | "PATCH")
    }

    /// What that is to the request. Only entries that sign ask.
    fn of(self, view: &RequestView<'_>, seen: &Seen) -> Body<'a> {
        match self.raw {
            _ if self.text => Body::Lost(BodyFault::Setting(
                "with_request_body sends the body as text, which may not be what it was; set pack_as_bytes: true",
            )),
            _ if self.partial => Body::Lost(BodyFault::Partial(
                "with_request_body.allow_partial_message lets through what is larger than max_request_bytes; set it to false, and max_request_bytes above limits.max_body",
            )),
            [] if self.announced => Body::Lost(BodyFault::Setting(
                "Envoy does not send the body: set with_request_body {max_request_bytes, pack_as_bytes: true} on the ext_authz filter",
            )),
            [] if self.may_be_hidden(view.method) => Body::Lost(BodyFault::Setting(
                "Envoy shows neither a body nor a content-length: set with_request_body {max_request_bytes, pack_as_bytes: true} on the ext_authz filter; a caller that sends no body has to say content-length: 0",
            )),
            [] => Body::Empty,
            raw if raw.len() > seen.limit => Body::Lost(BodyFault::TooLarge),
            raw if !view.is_long(raw.len()) => Body::Lost(BodyFault::Length),
            raw => match seen.hash {
                Some(hash) => Body::Hashed(hash),
                None if raw.len() > PayloadHasher::SLICE => Body::Awaited,
                None => Body::Whole(raw),
            },
        }
    }
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
