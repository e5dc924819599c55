//! A `ProcessingRequest`, read in place.

use crate::envoy::facts::{Attributes, verified_facts};
use crate::envoy::headers::{HeaderMapError, read_map};
use crate::envoy::structs::{Json, json, members};
use crate::envoy::wire::{Fields, WireError, map_entry, once};
use crate::request::{EnvoyFacts, Half, Headers, RequestView};

/// Which part of the HTTP exchange a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase<'a> {
    /// The `HeaderMap` of the request, and whether nothing follows it.
    RequestHeaders {
        map: &'a [u8],
        end: bool,
    },
    RequestBody {
        body: &'a [u8],
        end: bool,
    },
    RequestTrailers,
    /// The same of the response.
    ResponseHeaders {
        map: &'a [u8],
        end: bool,
    },
    ResponseBody {
        body: &'a [u8],
        end: bool,
    },
    ResponseTrailers,
}

/// How Envoy is configured to send bodies (`ProcessingMode.BodySendMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyMode {
    /// Not at all, or whole: each message has one answer, and that to a whole body may set header lines.
    Plain,
    /// In pieces of which each has one answer, too late for header lines.
    Streamed,
    /// In pieces that have to be sent back, no matter when.
    FullDuplex,
    /// The same for gRPC messages.
    Grpc,
    /// One that did not exist when this was written.
    Unknown,
}

/// The modes that the filter is configured with. Envoy says so with the first message only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodyModes {
    pub(super) request: BodyMode,
    pub(super) response: BodyMode,
}

/// Who made a response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Maker<'a> {
    /// `response.code_details`, where the filter asks for it.
    pub(super) code_details: Option<&'a str>,
    /// `upstream.tls_version`, where the filter asks for it and the provider was spoken to over TLS.
    pub(super) tls_version: Option<&'a str>,
}

/// One message of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) phase: Phase<'a>,
    pub(super) observability: bool,
    pub(super) modes: BodyModes,
    attributes: [Option<&'a [u8]>; 2],
    metadata_context: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Reads the frame of the message. Header lines are read by [`read_headers`].
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, WireError> {
        let (mut phase, mut metadata_context, mut observability, mut protocol) = (None, None, None, None);
        let mut attributes = [None, None];
        for field in Fields::of(frame) {
            let (number, value) = field?;
            match number {
                2..=7 => once(&mut phase, read_phase(number, value.bytes()?)?)?,
                8 => once(&mut metadata_context, value.bytes()?)?,
                9 => {
                    let (_, entry) = map_entry(value.bytes()?)?;
                    let free = attributes.iter_mut().find(|place| place.is_none()).ok_or(WireError::Twice)?;
                    *free = Some(entry);
                }
                10 => once(&mut observability, value.flag()?)?,
                11 => once(&mut protocol, value.bytes()?)?,
                _ => {}
            }
        }
        Ok(Self {
            phase: phase.ok_or(WireError::Malformed)?,
            observability: observability.unwrap_or(false),
            modes: protocol.map_or(Ok(BodyModes::default()), read_modes)?,
            attributes,
            metadata_context,
        })
    }

    /// The attributes that come with it.
    pub(super) fn attributes(&self) -> Result<Attributes<'a>, WireError> {
        let mut attributes = Attributes::default();
        for message in self.attributes.into_iter().flatten() {
            attributes.read(message)?;
        }
        Ok(attributes)
    }

    /// Who made the response.
    pub(super) fn maker(&self) -> Result<Maker<'a>, WireError> {
        let mut maker = Maker::default();
        for message in self.attributes.into_iter().flatten() {
            for member in members(message) {
                let (name, value) = member?;
                let place = match name {
                    b"response.code_details" => &mut maker.code_details,
                    b"upstream.tls_version" => &mut maker.tls_version,
                    _ => continue,
                };
                if let Json::Text(text) = json(value)? {
                    *place = Some(text);
                }
            }
        }
        Ok(maker)
    }

    /// What Envoy says beside the headers: its attributes, the wiring of the stream, and for the upstream half the facts.
    pub(super) fn facts<'v>(
        &self,
        attributes: &'v Attributes<'a>,
        named_provider: Option<&'v str>,
        half: Half,
    ) -> EnvoyFacts<'v>
    where
        'a: 'v,
    {
        EnvoyFacts {
            named_provider,
            cluster: attributes.cluster,
            route: attributes.route,
            metadata: attributes,
            peer: attributes.peer.clone(),
            upstream: attributes.upstream,
            // Dynamic metadata is believed only where the operator says that this filter is the upstream half.
            verified: match half {
                Half::Upstream => self.metadata_context.and_then(verified_facts).map(Box::new),
                Half::Whole | Half::Downstream => None,
            },
        }
    }
}

/// The header lines of a request or a response.
pub(super) fn read_headers(map: &[u8]) -> Result<Headers<'_>, HeaderMapError> {
    let mut headers = Headers::default();
    read_map(map, &mut headers)?;
    Ok(headers)
}

/// Puts lines and facts together.
pub(super) fn view<'a>(
    headers: Headers<'a>,
    facts: EnvoyFacts<'a>,
    half: Half,
) -> Result<RequestView<'a>, HeaderMapError> {
    Ok(RequestView::new(headers, facts, half)?)
}

fn read_phase(number: u32, message: &[u8]) -> Result<Phase<'_>, WireError> {
    let (mut first, mut end_of_headers, mut end_of_body) = (None, None, None);
    for field in Fields::of(message) {
        match field? {
            // The lines of headers and trailers, the bytes of a body.
            (1, value) => once(&mut first, value.bytes()?)?,
            (2, value) if matches!(number, 4 | 5) => once(&mut end_of_body, value.flag()?)?,
            (3, value) if matches!(number, 2 | 3) => once(&mut end_of_headers, value.flag()?)?,
            _ => {}
        }
    }
    let (end_of_headers, end_of_body) = (end_of_headers.unwrap_or(false), end_of_body.unwrap_or(false));
    let first = first.unwrap_or_default();
    match number {
        2 => Ok(Phase::RequestHeaders { map: first, end: end_of_headers }),
        3 => Ok(Phase::ResponseHeaders { map: first, end: end_of_headers }),
        4 => Ok(Phase::RequestBody { body: first, end: end_of_body }),
        5 => Ok(Phase::ResponseBody { body: first, end: end_of_body }),
        6 => Ok(Phase::RequestTrailers),
        7 => Ok(Phase::ResponseTrailers),
        _ => Err(WireError::Malformed),
    }
}

fn read_modes(protocol: &[u8]) -> Result<BodyModes, WireError> {
    let (mut request, mut response) = (None, None);
    for field in Fields::of(protocol) {
        match field? {
            (1, value) => once(&mut request, value.number()?)?,
            (2, value) => once(&mut response, value.number()?)?,
            _ => {}
        }
    }
    Ok(BodyModes { request: BodyMode::of(request), response: BodyMode::of(response) })
}

impl BodyModes {
    /// The setting that nothing here speaks, as it is to be told.
    pub(super) fn not_served(self) -> Option<&'static str> {
        match (self.request, self.response) {
            (BodyMode::Grpc, _) => Some("request_body_mode GRPC"),
            (BodyMode::Unknown, _) => Some("request_body_mode of a later Envoy"),
            (_, BodyMode::Grpc) => Some("response_body_mode GRPC"),
            (_, BodyMode::Unknown) => Some("response_body_mode of a later Envoy"),
            _ => None,
        }
    }
}

impl BodyMode {
    fn of(number: Option<u64>) -> Self {
        match number.unwrap_or(0) {
            // NONE, BUFFERED, BUFFERED_PARTIAL.
            0 | 2 | 3 => Self::Plain,
            1 => Self::Streamed,
            4 => Self::FullDuplex,
            5 => Self::Grpc,
            _ => Self::Unknown,
        }
    }
}

impl Default for BodyModes {
    fn default() -> Self {
        Self { request: BodyMode::Plain, response: BodyMode::Plain }
    }
}
