//! An end for a peer that reads nothing of what it was sent: its connection, and its place, would stay for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection that breaks when a write waits too long without a byte taken.
#[derive(Debug)]
pub(super) struct WriteTimeout<I> {
    io: I,
    patience: Duration,
    /// While a write waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<I> WriteTimeout<I> {
    pub(super) fn new(io: I, patience: Duration) -> Self {
        Self { io, patience, alarm: None }
    }

    fn bounded<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.alarm = None;
            return written;
        }
        let patience = self.patience;
        ready!(self.alarm.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing")))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for WriteTimeout<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.bounded(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.bounded(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// A socket keeps nothing back.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(80);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_left() {
        let (_peer, io) = tokio::io::duplex(64);
        let mut io = WriteTimeout::new(io, PATIENCE);
        io.write_all(&[0; 64]).await.unwrap();
        let began = Instant::now();
        assert_eq!(io.write(&[0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);
        // As hyper writes.
        let slices = [io::IoSlice::new(&[0])];
        assert_eq!(io.write_vectored(&slices).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_a_byte_now_and_then_is_not() {
        let (mut peer, io) = tokio::io::duplex(64);
        let mut io = WriteTimeout::new(io, PATIENCE);
        let slow = tokio::spawn(async move {
            for _ in 0..100 {
                sleep(PATIENCE - Duration::from_secs(1)).await;
                peer.read_u8().await.unwrap();
            }
            peer
        });
        io.write_all(&[0; 164]).await.unwrap();
        slow.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_said_has_no_end() {
        let (mut peer, io) = tokio::io::duplex(64);
        let mut io = WriteTimeout::new(io, PATIENCE);
        sleep(10 * PATIENCE).await;
        peer.write_u8(7).await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), 7);
        io.write_u8(8).await.unwrap();
        assert_eq!(peer.read_u8().await.unwrap(), 8);
    }
}
