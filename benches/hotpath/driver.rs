//! One Envoy worker: a few HTTP/2 connections, many streams at once, a stream for each request, reset once the answer
//! is there. Sends bytes that were encoded beforehand, so that the client does not take the core that the server needs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::Reason;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::Failure;
use crate::exchange::{Question, check};

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// On loopback.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

/// How much of it at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests in all.
    pub(crate) requests: usize,
    /// HTTP/2 connections (Envoy: one a worker).
    pub(crate) connections: usize,
    /// Concurrent streams in all; each sends the next request when it has its answer.
    pub(crate) streams: usize,
}

/// Sends `question` as often as `load` says and checks every answer.
///
/// # Returns
/// The time of each request, in no order.
///
/// # Errors
/// At the first answer that is wrong or missing.
pub(crate) async fn drive(
    address: &Address,
    question: &Question,
    load: Load,
) -> Result<Vec<Duration>, Failure> {
    let left = Arc::new(AtomicUsize::new(load.requests));
    let mut workers = JoinSet::new();
    for connection in 0..load.connections {
        let client = connect(address).await?;
        let streams =
            load.streams / load.connections + usize::from(connection < load.streams % load.connections);
        for _ in 0..streams {
            workers.spawn(work(client.clone(), question.clone(), Arc::clone(&left)));
        }
    }
    let mut times = Vec::with_capacity(load.requests);
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    Ok(times)
}

async fn work(
    mut client: SendRequest<Bytes>,
    question: Question,
    left: Arc<AtomicUsize>,
) -> Result<Vec<Duration>, Failure> {
    let head = http::Request::post("http://bouncer/envoy.service.ext_proc.v3.ExternalProcessor/Process")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("x-envoy-internal", "true")
        .header("x-forwarded-for", "10.1.2.3")
        .body(())?;
    let mut times = Vec::new();
    let mut known = Bytes::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        client = client.ready().await?;
        let start = Instant::now();
        let answer = ask(&mut client, head.clone(), &question).await?;
        times.push(start.elapsed());
        // The same bytes are the same answer: what differs is decoded and judged anew.
        if answer != known {
            check(answer.get(5..).unwrap_or_default())?;
            known = answer;
        }
    }
    Ok(times)
}

/// One stream.
///
/// # Returns
/// The frame of the one message in the answer.
async fn ask(
    client: &mut SendRequest<Bytes>,
    head: http::Request<()>,
    question: &Question,
) -> Result<Bytes, Failure> {
    let (response, mut stream) = client.send_request(head, false)?;
    stream.send_data(question.request.clone(), false)?;
    let response = response.await?;
    if response.status() != http::StatusCode::OK || response.headers().contains_key("grpc-status") {
        return Err(format!("refused: {} {:?}", response.status(), response.headers()).into());
    }
    let mut body = response.into_body();
    let answer = frame(&mut body).await?;
    if let Some(response) = &question.response {
        // A server that has ended the stream refused the request: that is what to tell.
        if let Err(error) = stream.send_data(response.clone(), false) {
            check(answer.get(5..).unwrap_or_default())?;
            return Err(error.into());
        }
        // That it is answered is enough: there is nothing to change.
        frame(&mut body).await?;
    }
    // Envoy's own reason when it has no more use for a stream.
    stream.send_reset(Reason::NO_ERROR);
    Ok(answer)
}

/// The next frame.
async fn frame(body: &mut h2::RecvStream) -> Result<Bytes, Failure> {
    let mut answer = Bytes::new();
    while !whole(&answer) {
        let Some(part) = body.data().await else {
            return Err(format!("the stream ended without an answer: {:?}", body.trailers().await).into());
        };
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        answer = if answer.is_empty() { part } else { join(&answer, &part) };
    }
    Ok(answer)
}

/// Whether the frame's length is there.
fn whole(frame: &[u8]) -> bool {
    match frame {
        [_, a, b, c, d, message @ ..] => message.len() >= u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => false,
    }
}

fn join(start: &[u8], end: &[u8]) -> Bytes {
    let mut all = BytesMut::from(start);
    all.extend_from_slice(end);
    all.freeze()
}

async fn connect(address: &Address) -> Result<SendRequest<Bytes>, Failure> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            handshake(stream).await
        }
        Address::Unix(path) => handshake(UnixStream::connect(path).await?).await,
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Bytes>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // What a server still sends on a stream that was reset is nothing to be alarmed at.
    let mut builder = Builder::new();
    builder.max_local_error_reset_streams(None);
    let (client, connection) = builder.handshake(stream).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Address {
    /// From the log line of a server: `127.0.0.1:9002` or `unix:/run/bouncer.sock`.
    ///
    /// # Errors
    /// `InvalidData` for anything else.
    pub(crate) fn parse(text: &str) -> io::Result<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                text.parse().map(Self::Tcp).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// `tcp` or `unix`.
    #[must_use]
    pub(crate) fn transport(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Unix(_) => "unix",
        }
    }
}
