//! The no-op server as most people write it: tonic's own server on the multi-thread runtime, a task and a channel for
//! each stream, the system's allocator.

use std::fmt::Display;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Part;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, ProcessingRequest, ProcessingResponse,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::support::Failure;
use crate::support::config::KEY;
use crate::support::question::REMOVED;

/// Serves on a free port of the loopback interface until it is killed.
///
/// # Errors
/// When there is no port, or the runtime cannot start.
pub(crate) fn serve() -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let incoming =
            TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.with_nodelay(Some(true));
        announce(incoming.local_addr()?)?;
        Server::builder()
            .add_service(ExternalProcessorServer::new(Naive))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}

struct Naive;

#[tonic::async_trait]
impl ExternalProcessor for Naive {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let mut messages = request.into_inner();
        let (replies, stream) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                if replies.send(answer(&message)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Answers the headers of a request with the mutation that bouncer would send, without looking at them.
///
/// # Errors
/// `InvalidArgument` for every other message: the benchmark sends none.
fn answer(request: &ProcessingRequest) -> Result<ProcessingResponse, Status> {
    let Some(Part::RequestHeaders(_)) = &request.request else {
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
        response: Some(Reply::RequestHeaders(HeadersResponse { response: Some(common) })),
        ..ProcessingResponse::default()
    })
}

/// Writes the log line of bouncer that the benchmark waits for.
///
/// # Errors
/// When stderr is closed: nobody waits any more.
fn announce(address: impl Display) -> std::io::Result<()> {
    let line = serde_json::json!({
        "fields": {"message": "listening", "service": "grpc", "address": address.to_string()}
    });
    writeln!(std::io::stderr(), "{line}")
}
