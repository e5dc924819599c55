//! Answers of the stream.

use crate::envoy::facts::facts_metadata;
use crate::envoy::headers::set_raw;
use crate::envoy::refusal::Denied;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_response::Response;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::{
    BodyResponse, CommonResponse, HeaderMutation as WireMutation, HeadersResponse, ImmediateResponse,
    ProcessingResponse, TrailersResponse,
};
use crate::envoy::wire::pb::envoy::r#type::v3::HttpStatus;
use crate::request::{HeaderMutation, VerifiedFacts};

use super::request::Phase;

/// Go on, with these headers. ext_proc removes first and sets then, so a set name is removed too: no second line of
/// the caller's can stay beside ours.
pub(super) fn go_on(mutation: &HeaderMutation<'_>, facts: Option<&VerifiedFacts>) -> ProcessingResponse {
    let header_mutation = WireMutation {
        set_headers: mutation
            .set
            .iter()
            .map(|line| set_raw(&line.name, line.value.wire().to_vec()))
            .collect(),
        remove_headers: mutation.remove.iter().map(|name| (*name).to_owned()).collect(),
    };
    let response = CommonResponse { status: 0, header_mutation: Some(header_mutation) };
    ProcessingResponse {
        response: Some(Response::RequestHeaders(HeadersResponse { response: Some(response) })),
        dynamic_metadata: facts.map(facts_metadata),
        mode_override: None,
    }
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
    ProcessingResponse { response: Some(response), dynamic_metadata: None, mode_override: Some(mode) }
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
    ProcessingResponse { response: Some(response), dynamic_metadata: None, mode_override: None }
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
    ProcessingResponse {
        response: Some(Response::ImmediateResponse(immediate)),
        dynamic_metadata: None,
        mode_override: None,
    }
}
