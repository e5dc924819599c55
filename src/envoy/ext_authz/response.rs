//! Answers to a check.

use bytes::BufMut as _;

use crate::envoy::grpc::Frame;
use crate::envoy::headers::set_text;
use crate::envoy::mutation::{EXT_AUTHZ, field_len, put_length};
use crate::envoy::refusal::Denied;
use crate::envoy::wire::pb::envoy::service::auth::v3::check_response::HttpResponse;
use crate::envoy::wire::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse};
use crate::envoy::wire::pb::envoy::r#type::v3::HttpStatus;
use crate::envoy::wire::pb::google::rpc::Status;
use crate::request::HeaderMutation;

/// `google.rpc.Code`.
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;

/// `CheckResponse.status`, which is OK: an empty message.
const STATUS_OK: [u8; 2] = [1 << 3 | 2, 0];
/// `CheckResponse.ok_response`.
const OK_RESPONSE: u8 = 3;

/// Go on, with these headers.
pub(super) fn ok(mutation: &HeaderMutation<'_>) -> Frame {
    let length = EXT_AUTHZ.len(mutation);
    let mut frame = Frame::with_capacity(STATUS_OK.len() + field_len(length));
    let bytes = frame.bytes();
    bytes.put_slice(&STATUS_OK);
    put_length(OK_RESPONSE, length, bytes);
    EXT_AUTHZ.put(mutation, bytes);
    frame
}

/// No.
pub(super) fn denied(denied: Denied) -> Frame {
    let code = if denied.status == 401 { UNAUTHENTICATED } else { PERMISSION_DENIED };
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: denied.status.into() }),
        headers: denied
            .headers
            .iter()
            .map(|(name, value)| set_text(name.as_bytes(), value.as_bytes()))
            .collect(),
        body: String::from_utf8_lossy(&denied.body).into_owned(),
    };
    let status = Some(Status { code, message: String::new() });
    Frame::of(&CheckResponse { status, http_response: Some(HttpResponse::DeniedResponse(response)) })
}
