//! Answers to a check.

use crate::envoy::headers::set_text;
use crate::envoy::refusal::Denied;
use crate::envoy::wire::pb::envoy::service::auth::v3::check_response::HttpResponse;
use crate::envoy::wire::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::envoy::wire::pb::envoy::r#type::v3::HttpStatus;
use crate::envoy::wire::pb::google::rpc::Status;
use crate::request::HeaderMutation;

/// `google.rpc.Code`.
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;

/// Go on, with these headers. Some Envoys remove last, so a name that is set is never removed too; overwriting takes
/// every line of that name.
pub(super) fn ok(mutation: &HeaderMutation<'_>) -> CheckResponse {
    let set = |name: &str| mutation.set.iter().any(|line| line.name.eq_ignore_ascii_case(name.as_bytes()));
    let response = OkHttpResponse {
        headers: mutation.set.iter().map(|line| set_text(&line.name, line.value.wire())).collect(),
        headers_to_remove: mutation
            .remove
            .iter()
            .filter(|name| !set(name))
            .map(|name| (*name).to_owned())
            .collect(),
    };
    CheckResponse { status: status(OK), http_response: Some(HttpResponse::OkResponse(response)) }
}

/// No.
pub(super) fn denied(denied: Denied) -> CheckResponse {
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
    CheckResponse { status: status(code), http_response: Some(HttpResponse::DeniedResponse(response)) }
}

fn status(code: i32) -> Option<Status> {
    Some(Status { code, message: String::new() })
}
