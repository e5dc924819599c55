//! HTTP/2 below gRPC, for bytes that no gRPC client sends.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, Method, Request};
use tokio::net::TcpStream;
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
        let socket = TcpStream::connect(address).await.unwrap();
        let (send, connection) = h2::client::handshake(socket).await.unwrap();
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

    /// How the call ended: a reset is no gRPC status at all.
    pub(crate) async fn end(self) -> Result<Code, h2::Error> {
        let ended = async {
            let (head, mut body) = self.answer.await?.into_parts();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data?.len())?;
            }
            let trailers = body.trailers().await?.unwrap_or_default();
            Ok(code(&trailers).or(code(&head.headers)).unwrap_or(Code::Unknown))
        };
        timeout(PATIENCE, ended).await.expect("the call never ended")
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}
