//! The no-op server as most people write it: tonic's own server on the multi-thread runtime, a task and a channel for
//! each stream, the system's allocator.

use std::net::{Ipv4Addr, SocketAddr};

use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::noop::{announce, answer};

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
