//! The first bytes of a connection. Until they are here hyper has no deadline of its own, and a peer that says nothing
//! would keep its place, and a drain, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// RFC 9113 section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose preface was read and is read once more.
#[derive(Debug)]
pub(super) struct Begun<I> {
    io: I,
    /// So much of the preface was handed on.
    handed: usize,
}

impl<I: AsyncRead + Unpin> Begun<I> {
    /// Waits for the preface.
    ///
    /// # Errors
    /// When it does not come within `patience`, or something else does: the peer does not speak HTTP/2.
    pub(super) async fn read(mut io: I, patience: Duration) -> io::Result<Self> {
        let mut preface = [0; PREFACE.len()];
        timeout(patience, io.read_exact(&mut preface)).await??;
        if preface != *PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
        }
        Ok(Self { io, handed: 0 })
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Begun<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match PREFACE.get(self.handed..) {
            None | Some([]) => Pin::new(&mut self.io).poll_read(context, buffer),
            Some(rest) => {
                let (now, _) = rest.split_at(rest.len().min(buffer.remaining()));
                buffer.put_slice(now);
                self.handed += now.len();
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Begun<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_preface_is_read_once_more_with_what_follows() {
        let (mut peer, io) = tokio::io::duplex(64);
        peer.write_all(&[PREFACE.as_slice(), b"frames"].concat()).await.unwrap();
        drop(peer);
        let mut begun = Begun::read(io, PATIENCE).await.unwrap();
        // In pieces, as a small buffer would.
        let mut start = [0; 5];
        begun.read_exact(&mut start).await.unwrap();
        let mut rest = Vec::new();
        begun.read_to_end(&mut rest).await.unwrap();
        assert_eq!([start.as_slice(), &rest].concat(), [PREFACE.as_slice(), b"frames"].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_too_little_or_something_else_is_left() {
        let (mut slow, io) = tokio::io::duplex(64);
        slow.write_all(&PREFACE[..23]).await.unwrap();
        assert_eq!(Begun::read(io, PATIENCE).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (mut other, io) = tokio::io::duplex(64);
        other.write_all(b"GET / HTTP/1.1\r\nhost: bouncer\r\n\r\n").await.unwrap();
        assert_eq!(Begun::read(io, PATIENCE).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
