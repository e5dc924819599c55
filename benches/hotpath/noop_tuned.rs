//! The no-op server with everything that costs nothing to write: one current_thread runtime, mimalloc, the stream of
//! requests mapped to replies without a task or a channel. A program of its own, for an allocator is the choice of a
//! whole program; `hotpath` builds and starts it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use tokio::net::UnixListener;
use tokio_stream::StreamExt as _;
use tokio_stream::adapters::Map;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::noop::{announce, answer};

mod noop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    // `cargo bench` and `cargo test --benches` start every bench; this one measures nothing itself.
    match (arguments.next(), arguments.next()) {
        (Some(verb), Some(socket)) if verb == "serve" => serve(socket.into()),
        _ => Ok(()),
    }
}

/// Serves on a free port of the loopback interface and on the Unix socket, until it is killed.
fn serve(socket: PathBuf) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let tcp = TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.with_nodelay(Some(true));
        let unix = UnixListenerStream::new(UnixListener::bind(&socket)?);
        announce(tcp.local_addr()?)?;
        announce(format_args!("unix:{}", socket.display()))?;
        let service = ExternalProcessorServer::new(Tuned);
        tokio::try_join!(
            Server::builder().add_service(service.clone()).serve_with_incoming(tcp),
            Server::builder().add_service(service).serve_with_incoming(unix),
        )?;
        Ok(())
    })
}

type Reply = Result<ProcessingResponse, Status>;

#[derive(Clone, Copy)]
struct Tuned;

#[tonic::async_trait]
impl ExternalProcessor for Tuned {
    type ProcessStream = Map<Streaming<ProcessingRequest>, fn(Result<ProcessingRequest, Status>) -> Reply>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        Ok(Response::new(request.into_inner().map(|message| answer(&message?))))
    }
}
