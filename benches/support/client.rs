//! A connection as one Envoy worker has it: a stream for each request, reset once the answer is there.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use h2::Reason;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::question::{Protocol, Question};
use super::{Failure, window};

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// On loopback.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

/// A connection, and the request's head.
#[derive(Clone)]
pub(crate) struct Client {
    sender: SendRequest<Bytes>,
    head: http::Request<()>,
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

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) async fn connect(address: &Address, protocol: Protocol) -> Result<Self, Failure> {
        let head = http::Request::post(format!("http://bouncer{}", protocol.path()))
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .header("x-envoy-internal", "true")
            .header("x-forwarded-for", "10.1.2.3")
            .body(())?;
        let sender = match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                handshake(stream).await?
            }
            Address::Unix(path) => handshake(UnixStream::connect(path).await?).await?,
        };
        Ok(Self { sender, head })
    }

    /// One request.
    ///
    /// # Returns
    /// The frame of the one message in the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn ask(&mut self, frame: Bytes, question: &Question) -> Result<Bytes, Failure> {
        let ends = question.protocol == Protocol::ExtAuthz;
        self.ready().await?;
        let (response, mut stream) = self.sender.send_request(self.head.clone(), false)?;
        stream.send_data(frame, ends)?;
        let response = response.await?;
        if response.status() != http::StatusCode::OK || response.headers().contains_key("grpc-status") {
            return Err(format!("refused: {} {:?}", response.status(), response.headers()).into());
        }
        let mut body = response.into_body();
        let answer = message(&mut body).await?;
        if ends {
            let trailers = body.trailers().await?.unwrap_or_default();
            return match trailers.get("grpc-status").map(http::HeaderValue::as_bytes) {
                Some(b"0") => Ok(answer),
                _ => Err(format!("not OK: {trailers:?}").into()),
            };
        }
        if let Some(response) = &question.response {
            // A server that has ended the stream refused the request: that is what to tell.
            if let Err(error) = stream.send_data(response.clone(), false) {
                question.judge(answer.get(5..).unwrap_or_default())?;
                return Err(error.into());
            }
            // That it is answered is enough: there is nothing to change.
            message(&mut body).await?;
        }
        // Envoy's own reason when it has no more use for a stream.
        stream.send_reset(Reason::NO_ERROR);
        Ok(answer)
    }

    /// Asks and goes away before there is an answer.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn ask_and_reset(&mut self, frame: Bytes) -> Result<(), Failure> {
        self.ready().await?;
        let (_response, mut stream) = self.sender.send_request(self.head.clone(), false)?;
        stream.send_data(frame, false)?;
        // Only now on its way: a stream that is reset before was never there.
        tokio::task::yield_now().await;
        stream.send_reset(Reason::CANCEL);
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        std::future::poll_fn(|context| self.sender.poll_ready(context)).await?;
        Ok(())
    }
}

/// The next frame.
async fn message(body: &mut h2::RecvStream) -> Result<Bytes, Failure> {
    let mut answer = Bytes::new();
    while !is_whole(&answer) {
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
fn is_whole(frame: &[u8]) -> bool {
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

async fn handshake<S>(stream: S) -> Result<SendRequest<Bytes>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // What a server still sends on a stream that was reset is nothing to be alarmed at.
    let mut builder = Builder::new();
    builder.max_local_error_reset_streams(None);
    // With h2's own, a few hundred small answers that come at once are taken for an attack.
    builder.initial_window_size(window::STREAM).initial_connection_window_size(window::CONNECTION);
    let (client, connection) = builder.handshake(stream).await?;
    tokio::spawn(connection);
    Ok(client)
}
