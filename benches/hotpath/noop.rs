//! What both no-op servers answer, and the line with which they say where they listen.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::LazyLock;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, ProcessingRequest, ProcessingResponse,
};
use tonic::Status;

/// The provider's key: as long as the keys of OpenAI projects are, or a short reply would flatter the no-ops.
pub(crate) static KEY: LazyLock<String> = LazyLock::new(|| format!("sk-proj-{}", "bench0".repeat(26)));

/// The headers of the benchmark's request that a server has to take away.
pub(crate) const REMOVED: [&str; 3] = ["authorization", "cookie", "openai-organization"];

/// Answers the headers of a request with the mutation that bouncer would send, without looking at them.
///
/// # Errors
/// `InvalidArgument` for every other message: the benchmark sends none.
pub(crate) fn answer(request: &ProcessingRequest) -> Result<ProcessingResponse, Status> {
    let Some(Request::RequestHeaders(_)) = &request.request else {
        return Err(Status::invalid_argument("request headers expected"));
    };
    let header = HeaderValue {
        key: "authorization".to_owned(),
        value: String::new(),
        raw_value: format!("Bearer {}", *KEY).into_bytes(),
    };
    let set = HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    let mutation = HeaderMutation {
        set_headers: vec![set],
        remove_headers: REMOVED.iter().map(|&name| name.to_owned()).collect(),
    };
    let common = CommonResponse { header_mutation: Some(mutation), ..CommonResponse::default() };
    Ok(ProcessingResponse {
        response: Some(Response::RequestHeaders(HeadersResponse { response: Some(common) })),
        ..ProcessingResponse::default()
    })
}

/// Writes the log line of bouncer that the benchmark waits for.
///
/// # Errors
/// When stderr is closed: nobody waits any more.
pub(crate) fn announce(address: impl Display) -> std::io::Result<()> {
    let line = serde_json::json!({
        "fields": {"message": "listening", "service": "grpc", "address": address.to_string()}
    });
    writeln!(std::io::stderr(), "{line}")
}
