//! The no-op server as good as tonic lets one write it: one current_thread runtime, mimalloc, TCP_NODELAY, no task and no
//! channel a stream, no router, the request not decoded (the tag of its oneof says what it is), the reply encoded beforehand.
//! It answers with the very bytes that bouncer answered with. A program of its own, for an allocator is the choice of a
//! whole program; `hotpath` builds and starts it.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{self, Ready};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::Stream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Status, Streaming};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Field 2 of ProcessingRequest, request_headers, and field 1 of CheckRequest, attributes: the first bytes of any request,
/// for Envoy writes the fields in the order of their numbers.
const REQUEST_HEADERS: u8 = 2 << 3 | 2;
const ATTRIBUTES: u8 = 1 << 3 | 2;

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [verb, socket, process, check] if verb == "serve" => {
            serve(socket.as_ref(), std::fs::read(process)?.into(), std::fs::read(check)?.into())
        }
        // `cargo bench` and `cargo test --benches` start every bench; this one measures nothing itself.
        _ => Ok(()),
    }
}

/// Serves on a free port of the loopback interface and on the Unix socket, until it is killed.
fn serve(socket: &Path, process: Bytes, check: Bytes) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let unix = UnixListener::bind(socket)?;
        announce(tcp.local_addr()?)?;
        announce(format_args!("unix:{}", socket.display()))?;
        loop {
            let (process, check) = (process.clone(), check.clone());
            tokio::select! {
                socket = tcp.accept() => {
                    let (socket, _) = socket?;
                    socket.set_nodelay(true)?;
                    tokio::spawn(http2(socket, process, check));
                }
                socket = unix.accept() => {
                    tokio::spawn(http2(socket?.0, process, check));
                }
            }
        }
    })
}

async fn http2<I>(io: I, process: Bytes, check: Bytes)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, process.clone(), check.clone()));
    // How a connection ends is nothing to a no-op.
    let _ended = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(10_000)
        // As bouncer's: with hyper's own, many small requests that come at once are taken for an attack.
        .initial_connection_window_size(Some(16 << 20))
        .initial_stream_window_size(Some(128 << 10))
        .serve_connection(TokioIo::new(io), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    process: Bytes,
    check: Bytes,
) -> Result<Response<tonic::body::Body>, Infallible> {
    let mut grpc = Grpc::new(Raw);
    Ok(match request.uri().path() {
        "/envoy.service.ext_proc.v3.ExternalProcessor/Process" => {
            grpc.streaming(Process(process), request).await
        }
        "/envoy.service.auth.v3.Authorization/Check" => grpc.unary(Check(check), request).await,
        _ => Status::unimplemented("").into_http(),
    })
}

struct Process(Bytes);
struct Check(Bytes);

/// The requests of a stream, each answered in its place.
struct Replies {
    requests: Streaming<Bytes>,
    reply: Bytes,
}

impl Stream for Replies {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(Pin::new(&mut self.requests).poll_next(context));
        Poll::Ready(message.map(|message| {
            begins(&message?, REQUEST_HEADERS).then(|| self.reply.clone()).ok_or_else(unexpected)
        }))
    }
}

impl StreamingService<Bytes> for Process {
    type Response = Bytes;
    type ResponseStream = Replies;
    type Future = Ready<Result<tonic::Response<Replies>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let replies = Replies { requests: request.into_inner(), reply: std::mem::take(&mut self.0) };
        future::ready(Ok(tonic::Response::new(replies)))
    }
}

impl UnaryService<Bytes> for Check {
    type Response = Bytes;
    type Future = Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let is_check = begins(request.get_ref(), ATTRIBUTES);
        future::ready(if is_check {
            Ok(tonic::Response::new(std::mem::take(&mut self.0)))
        } else {
            Err(unexpected())
        })
    }
}

fn begins(message: &Bytes, tag: u8) -> bool {
    message.first() == Some(&tag)
}

fn unexpected() -> Status {
    Status::invalid_argument("request headers expected")
}

/// Bytes in, bytes out.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, reply: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(reply);
        Ok(())
    }
}

/// Writes the log line of bouncer that the benchmark waits for.
fn announce(address: impl Display) -> std::io::Result<()> {
    let line = serde_json::json!({
        "fields": {"message": "listening", "service": "grpc", "address": address.to_string()}
    });
    writeln!(std::io::stderr(), "{line}")
}
