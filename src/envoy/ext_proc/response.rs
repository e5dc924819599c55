//! Answers of the stream.

use bytes::Bytes;

use crate::envoy::facts::facts_metadata;
use crate::envoy::grpc::Frame;
use crate::envoy::headers::set_raw;
use crate::envoy::mutation::{EXT_PROC, field_len, put_length};
use crate::envoy::refusal::Denied;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_response::Response;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation as WireMutation, HeadersResponse,
    ImmediateResponse, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use crate::envoy::wire::pb::envoy::r#type::v3::HttpStatus;
use crate::request::{HeaderMutation, VerifiedFacts};

use super::request::Phase;

/// Whether the headers of the response are to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Yes,
    No,
}

/// `ProcessingResponse.request_headers` and `.request_body`.
const REQUEST_HEADERS: u8 = 1;
const REQUEST_BODY: u8 = 3;
/// `HeadersResponse.response` and `BodyResponse.response`.
const COMMON: u8 = 1;
/// `CommonResponse.header_mutation`.
const HEADER_MUTATION: u8 = 2;
/// Room for a `mode_override`, which is at most six fields of two bytes in one.
const MODE_OVERRIDE: usize = 14;

/// Go on, with these headers.
pub(super) fn go_on(mutation: &HeaderMutation<'_>, facts: Option<&VerifiedFacts>) -> Frame {
    let mut frame = mutated(REQUEST_HEADERS, mutation);
    if let Some(facts) = facts {
        let dynamic_metadata = Some(facts_metadata(facts));
        frame.add(&ProcessingResponse { dynamic_metadata, ..ProcessingResponse::default() });
    }
    frame
}

/// Go on, with these headers and the body that came. The headers still wait for it where Envoy buffered it.
pub(super) fn go_on_with_body(mutation: &HeaderMutation<'_>) -> Frame {
    mutated(REQUEST_BODY, mutation)
}

/// These headers for now, and Envoy is to send the body, whole. What becomes of `mode_override` is Envoy's: it needs
/// `allow_mode_override`.
pub(super) fn then_request_body(mutation: &HeaderMutation<'_>, watched: Watched) -> Frame {
    let response_header_mode = match watched {
        Watched::Yes => HeaderSendMode::Send,
        Watched::No => HeaderSendMode::Skip,
    };
    let mode = ProcessingMode {
        request_body_mode: BodySendMode::Buffered.into(),
        response_header_mode: response_header_mode.into(),
        ..nothing_more()
    };
    in_mode(go_on(mutation, None), mode)
}

/// The same, and Envoy is to show the response's headers. It does where the filter says `allow_mode_override`.
pub(super) fn then_response_headers(reply: Frame) -> Frame {
    in_mode(reply, ProcessingMode { response_header_mode: HeaderSendMode::Send.into(), ..nothing_more() })
}

/// The response's headers stay, and Envoy is to show its body, whole, before the caller sees any of it.
pub(super) fn then_response_body() -> Frame {
    let mode = ProcessingMode { response_body_mode: BodySendMode::Buffered.into(), ..nothing_more() };
    in_mode(answer(Response::ResponseHeaders(HeadersResponse::default())), mode)
}

fn in_mode(mut reply: Frame, mode: ProcessingMode) -> Frame {
    reply.add(&ProcessingResponse { mode_override: Some(mode), ..ProcessingResponse::default() });
    reply
}

/// Every mode by name: what a default means depends on the filter's configuration.
fn nothing_more() -> ProcessingMode {
    ProcessingMode {
        request_header_mode: HeaderSendMode::Skip.into(),
        response_header_mode: HeaderSendMode::Skip.into(),
        request_body_mode: BodySendMode::None.into(),
        response_body_mode: BodySendMode::None.into(),
        request_trailer_mode: HeaderSendMode::Skip.into(),
        response_trailer_mode: HeaderSendMode::Skip.into(),
    }
}

/// A piece of a request's body, back to Envoy, which waits for it in FULL_DUPLEX_STREAMED.
pub(super) fn request_piece(body: Bytes, end_of_stream: bool) -> Frame {
    answer(Response::RequestBody(streamed(body, end_of_stream)))
}

/// The same of a response's.
pub(super) fn response_piece(body: Bytes, end_of_stream: bool) -> Frame {
    answer(Response::ResponseBody(streamed(body, end_of_stream)))
}

/// Nothing to change in the trailers.
pub(super) fn trailers() -> Frame {
    answer(Response::RequestTrailers(TrailersResponse::default()))
}

/// Nothing to change in this phase.
pub(super) fn untouched(phase: Phase<'_>) -> Frame {
    let response = match phase {
        Phase::RequestHeaders { .. } => Response::RequestHeaders(HeadersResponse::default()),
        Phase::RequestBody { .. } => Response::RequestBody(BodyResponse::default()),
        Phase::RequestTrailers => Response::RequestTrailers(TrailersResponse::default()),
        Phase::ResponseHeaders { .. } => Response::ResponseHeaders(HeadersResponse::default()),
        Phase::ResponseBody { .. } => Response::ResponseBody(BodyResponse::default()),
        Phase::ResponseTrailers => Response::ResponseTrailers(TrailersResponse::default()),
    };
    answer(response)
}

/// No.
pub(super) fn refuse(denied: Denied, code: &str) -> Frame {
    let set_headers = denied
        .headers
        .into_iter()
        .map(|(name, value)| set_raw(name.as_bytes(), value.into_owned().into()))
        .collect();
    let immediate = ImmediateResponse {
        status: Some(HttpStatus { code: denied.status.into() }),
        headers: Some(WireMutation { set_headers, remove_headers: Vec::new() }),
        body: denied.body,
        // Becomes %RESPONSE_CODE_DETAILS% in Envoy's access log.
        details: format!("bouncer_{code}"),
    };
    answer(Response::ImmediateResponse(immediate))
}

/// The mutation, in the messages that it is wrapped in.
fn mutated(response: u8, mutation: &HeaderMutation<'_>) -> Frame {
    let length = EXT_PROC.len(mutation);
    let common = field_len(length);
    let inner = field_len(common);
    let mut frame = Frame::with_capacity(field_len(inner) + MODE_OVERRIDE);
    let bytes = frame.bytes();
    put_length(response, inner, bytes);
    put_length(COMMON, common, bytes);
    put_length(HEADER_MUTATION, length, bytes);
    EXT_PROC.put(mutation, bytes);
    frame
}

fn streamed(body: Bytes, end_of_stream: bool) -> BodyResponse {
    let piece = Mutation::StreamedResponse(StreamedBodyResponse { body, end_of_stream });
    let body_mutation = Some(BodyMutation { mutation: Some(piece) });
    BodyResponse { response: Some(CommonResponse { body_mutation, ..CommonResponse::default() }) }
}

fn answer(response: Response) -> Frame {
    Frame::of(&ProcessingResponse { response: Some(response), ..ProcessingResponse::default() })
}
