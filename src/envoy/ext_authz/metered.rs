//! The length of a unary message before the message: gRPC writes it into the first five bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};

/// A flag and four bytes of length (gRPC over HTTP/2, `Length-Prefixed-Message`).
const PREFIX: usize = 5;

/// A body whose beginning was read. It is the same to whoever reads it now.
pub(super) struct Begun<B: Body> {
    first: Option<Bytes>,
    /// What came where no data was awaited: trailers or an error.
    second: Option<Result<Frame<Bytes>, B::Error>>,
    rest: Option<B>,
}

/// Reads until the length of the message is known. It is zero where there is no message, which is for its reader to say.
pub(super) async fn begin<B: Body + Unpin>(body: B) -> (usize, Begun<B>) {
    let mut begun = Begun { first: None, second: None, rest: Some(body) };
    loop {
        let read = begun.first.as_deref().and_then(|read| read.first_chunk::<PREFIX>());
        if let Some([_, length @ ..]) = read {
            return (usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX), begun);
        }
        match poll_fn(|context| begun.poll_rest(context)).await {
            None => return (0, begun),
            Some(other) => match other.map(Frame::into_data) {
                Ok(Ok(data)) => begun.add(data),
                Ok(Err(frame)) => {
                    begun.second = Some(Ok(frame));
                    return (0, begun);
                }
                Err(error) => {
                    begun.second = Some(Err(error));
                    return (0, begun);
                }
            },
        }
    }
}

impl<B: Body> Begun<B> {
    /// An empty message in its place.
    pub(super) fn nothing(self) -> Self {
        Self { first: Some(Bytes::from_static(&[0; PREFIX])), second: None, rest: None }
    }

    /// The first bytes nearly always come in one piece.
    fn add(&mut self, data: Bytes) {
        self.first = Some(match self.first.take() {
            None => data,
            Some(before) => {
                let mut both = BytesMut::from(before);
                both.extend_from_slice(&data);
                both.freeze()
            }
        });
    }
}

impl<B: Body + Unpin> Begun<B> {
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(rest).poll_frame(context));
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|mut data| data.copy_to_bytes(data.remaining())))))
    }
}

impl<B: Body + Unpin> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(second) = this.second.take() {
            return Poll::Ready(Some(second));
        }
        this.poll_rest(context)
    }
}

impl<B: Body> Unpin for Begun<B> {}
