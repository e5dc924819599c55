//! Answers of the stream.

use bytes::Bytes;

use crate::envoy::facts::facts_metadata;
use crate::envoy::headers::set_raw;
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

/// Go on, with these headers.
pub(super) fn go_on(mutation: &HeaderMutation<'_>, facts: Option<&VerifiedFacts>) -> ProcessingResponse {
    let response = Response::RequestHeaders(HeadersResponse { response: Some(common(mutation)) });
    ProcessingResponse { dynamic_metadata: facts.map(facts_metadata), ..answer(response) }
}

/// Go on, with these headers and the body that came. The headers still wait for it where Envoy buffered it.
pub(super) fn go_on_with_body(mutation: &HeaderMutation<'_>) -> ProcessingResponse {
    answer(Response::RequestBody(BodyResponse { response: Some(common(mutation)) }))
}

/// These headers for now, and Envoy is to send the body, whole. What becomes of `mode_override` is Envoy's: it needs
/// `allow_mode_override`.
pub(super) fn then_request_body(mutation: &HeaderMutation<'_>, watched: Watched) -> ProcessingResponse {
    let response_header_mode = match watched {
        Watched::Yes => HeaderSendMode::Send,
        Watched::No => HeaderSendMode::Skip,
    };
    let mode = ProcessingMode {
        request_body_mode: BodySendMode::Buffered.into(),
        response_header_mode: response_header_mode.into(),
        ..nothing_more()
    };
    ProcessingResponse { mode_override: Some(mode), ..go_on(mutation, None) }
}

/// The same, and Envoy is to show the response's headers. It does where the filter says `allow_mode_override`.
pub(super) fn then_response_headers(reply: ProcessingResponse) -> ProcessingResponse {
    let mode = ProcessingMode { response_header_mode: HeaderSendMode::Send.into(), ..nothing_more() };
    ProcessingResponse { mode_override: Some(mode), ..reply }
}

/// The response's headers stay, and Envoy is to show its body, whole, before the caller sees any of it.
pub(super) fn then_response_body() -> ProcessingResponse {
    let mode = ProcessingMode { response_body_mode: BodySendMode::Buffered.into(), ..nothing_more() };
    let response = Response::ResponseHeaders(HeadersResponse::default());
    ProcessingResponse { mode_override: Some(mode), ..answer(response) }
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
pub(super) fn request_piece(body: Bytes, end_of_stream: bool) -> ProcessingResponse {
    answer(Response::RequestBody(streamed(body, end_of_stream)))
}

/// The same of a response's.
pub(super) fn response_piece(body: Bytes, end_of_stream: bool) -> ProcessingResponse {
    answer(Response::ResponseBody(streamed(body, end_of_stream)))
}

/// Nothing to change in the trailers.
pub(super) fn trailers() -> ProcessingResponse {
    answer(Response::RequestTrailers(TrailersResponse::default()))
}

/// Nothing to change in this phase.
pub(super) fn untouched(phase: Phase<'_>) -> ProcessingResponse {
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
pub(super) fn refuse(denied: Denied, code: &str) -> ProcessingResponse {
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

/// ext_proc removes first and sets then, so a set name is removed too: no second line of the caller's can stay beside ours.
fn common(mutation: &HeaderMutation<'_>) -> CommonResponse {
    let header_mutation = WireMutation {
        set_headers: mutation
            .set
            .iter()
            .map(|line| set_raw(&line.name, line.value.wire().to_vec()))
            .collect(),
        remove_headers: mutation.remove.iter().map(|name| (*name).to_owned()).collect(),
    };
    CommonResponse { status: 0, header_mutation: Some(header_mutation), body_mutation: None }
}

fn streamed(body: Bytes, end_of_stream: bool) -> BodyResponse {
    let piece = Mutation::StreamedResponse(StreamedBodyResponse { body, end_of_stream });
    let body_mutation = Some(BodyMutation { mutation: Some(piece) });
    BodyResponse { response: Some(CommonResponse { body_mutation, ..CommonResponse::default() }) }
}

const fn answer(response: Response) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), dynamic_metadata: None, mode_override: None }
}
