//! HTTP/2 below gRPC, for bytes that no gRPC client sends.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;
use tonic::Code;

use super::PATIENCE;

/// `ExternalProcessor/Process`.
pub(crate) const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
/// `Authorization/Check`.
pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A connection.
pub(crate) struct Raw(SendRequest<Bytes>);

/// One stream of it.
pub(crate) struct RawStream {
    out: SendStream<Bytes>,
    answer: ResponseFuture,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    /// The same from another address of this machine.
    pub(crate) async fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        Self::over(socket.connect(address).await.unwrap()).await
    }

    /// The same over a Unix socket.
    pub(crate) async fn connect_unix(path: &Path) -> Self {
        Self::over(UnixStream::connect(path).await.unwrap()).await
    }

    /// The same with a window of nothing: no DATA frame of an answer may come.
    pub(crate) async fn connect_without_window(address: SocketAddr) -> Self {
        Self::begin(TcpStream::connect(address).await.unwrap(), Builder::new().initial_window_size(0)).await
    }

    async fn over(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self::begin(socket, &Builder::new()).await
    }

    async fn begin(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, settings: &Builder) -> Self {
        let (send, connection) = settings.handshake(socket).await.unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    /// Opens a stream as gRPC does.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn open(&mut self, path: &str) -> Result<RawStream, h2::Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://bouncer{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut send = timeout(PATIENCE, self.0.clone().ready()).await.expect("no room for a stream")?;
        let (answer, out) = send.send_request(request, false)?;
        Ok(RawStream { out, answer })
    }
}

impl RawStream {
    /// Sends bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: impl Into<Bytes>) {
        let _ = self.out.send_data(bytes.into(), false);
    }

    /// Sends a gRPC frame.
    pub(crate) fn frame(&mut self, message: &[u8]) {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.put_slice(message);
        self.bytes(frame);
    }

    /// Ends this side.
    pub(crate) fn close(&mut self) {
        let _ = self.out.send_data(Bytes::new(), true);
    }

    /// RST_STREAM.
    pub(crate) fn reset(mut self) {
        self.out.send_reset(Reason::CANCEL);
    }

    /// Sends a gRPC frame byte by byte, a hundred a second, until the call ends.
    pub(crate) async fn dripping(self, message: &[u8]) -> Result<Code, h2::Error> {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let bytes = [&[0], &length[..], message].concat();
        let Self { mut out, answer } = self;
        let drips = async {
            for byte in bytes {
                pace.tick().await;
                let _ = out.send_data(Bytes::copy_from_slice(&[byte]), false);
            }
            panic!("all of it came through");
        };
        let ended = async {
            tokio::select! { ended = async { ended_with(answer.await?).await } => ended, () = drips => unreachable!() }
        };
        timeout(PATIENCE, ended).await.expect("the call never ended")
    }

    /// How the call ended: a reset is no gRPC status at all.
    pub(crate) async fn end(self) -> Result<Code, h2::Error> {
        let Self { answer, out: _out } = self;
        let ended = async { ended_with(answer.await?).await };
        timeout(PATIENCE, ended).await.expect("the call never ended")
    }
}

async fn ended_with(answer: Response<RecvStream>) -> Result<Code, h2::Error> {
    let (head, mut body) = answer.into_parts();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(code(&trailers).or(code(&head.headers)).unwrap_or(Code::Unknown))
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}
