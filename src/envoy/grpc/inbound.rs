//! The messages of a call, one after the other.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use tonic::Status;

use super::PREFIX;

/// The caller's side of a call. Holds no more than one message of at most `longest` bytes, and what of it has come.
pub(in crate::envoy) struct Inbound<B> {
    body: B,
    longest: usize,
    read: Read,
    ended: bool,
}

/// What came and was not taken yet.
enum Read {
    /// Part of what HTTP/2 read: nearly always one message and nothing else.
    Whole(Bytes),
    /// Parts of a message that came in several.
    Parts(BytesMut),
}

impl<B> Inbound<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(in crate::envoy) fn new(body: B, longest: usize) -> Self {
        Self { body, longest, read: Read::Whole(Bytes::new()), ended: false }
    }

    /// From now on messages may be so long.
    pub(in crate::envoy) fn admit(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// The next message; none when the caller has no more.
    ///
    /// # Errors
    /// The status to end the call with. `OutOfRange` is for a message that is too long.
    pub(in crate::envoy) fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            match self.take() {
                Ok(None) => {}
                taken => return Poll::Ready(taken.transpose()),
            }
            if let Err(status) = ready!(self.poll_more(context)) {
                return Poll::Ready(Some(Err(status)));
            }
            if self.ended {
                let cut = !self.read.bytes().is_empty();
                return Poll::Ready(
                    cut.then(|| Err(Status::invalid_argument("the end in the middle of a message"))),
                );
            }
        }
    }

    /// How long the next message is, as soon as its first bytes are there; none where there is none.
    ///
    /// # Errors
    /// The status to end the call with. A message that is too long is none yet.
    pub(in crate::envoy) fn poll_length(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<usize, Status>>> {
        loop {
            if let Some(prefix) = self.read.bytes().first_chunk() {
                return Poll::Ready(Some(length(*prefix)));
            }
            if let Err(status) = ready!(self.poll_more(context)) {
                return Poll::Ready(Some(Err(status)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
        }
    }

    /// A message that is there in full.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(prefix) = self.read.bytes().first_chunk() else { return Ok(None) };
        let length = length(*prefix)?;
        if length > self.longest {
            return Err(Status::out_of_range("the message is longer than any that is taken"));
        }
        if self.read.bytes().len() < PREFIX + length {
            return Ok(None);
        }
        let mut frame = self.read.split_to(PREFIX + length);
        Ok(Some(frame.split_off(PREFIX)))
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => self.ended = true,
            // What is no data are trailers, of which a client of gRPC has none to send.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.read.add(data),
                Err(_trailers) => self.ended = true,
            },
            Some(Err(error)) => {
                let error = error.into();
                return Poll::Ready(Err(Status::cancelled(format!("the call broke off: {error}"))));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The length that a prefix says.
fn length([compressed, length @ ..]: [u8; PREFIX]) -> Result<usize, Status> {
    match compressed {
        0 => Ok(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX)),
        1 => Err(Status::unimplemented("compressed messages are not taken")),
        _ => Err(Status::internal("not a gRPC message")),
    }
}

impl Read {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Parts(bytes) => bytes,
        }
    }

    fn add(&mut self, data: Bytes) {
        match self {
            Self::Parts(parts) if !parts.is_empty() => parts.extend_from_slice(&data),
            Self::Whole(first) if !first.is_empty() => {
                let mut parts = BytesMut::with_capacity(first.len() + data.len());
                parts.extend_from_slice(first);
                parts.extend_from_slice(&data);
                *self = Self::Parts(parts);
            }
            _ => *self = Self::Whole(data),
        }
    }

    fn split_to(&mut self, length: usize) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.split_to(length),
            Self::Parts(bytes) => {
                let message = bytes.split_to(length).freeze();
                // A part of one DATA frame. Left where it is, it would keep the message's memory for as long as the stream lives.
                let rest = Bytes::copy_from_slice(bytes);
                *self = Self::Whole(rest);
                message
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use tonic::Code;

    use super::*;

    /// Data as it comes from HTTP/2.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece.into()))))
        }
    }

    fn read(pieces: Vec<Vec<u8>>, longest: usize) -> Vec<Result<Bytes, Code>> {
        let mut inbound = Inbound::new(Pieces(pieces.into()), longest);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut messages = Vec::new();
        while let Poll::Ready(Some(message)) = inbound.poll_message(&mut context) {
            let failed = message.is_err();
            messages.push(message.map_err(|status| status.code()));
            if failed {
                break;
            }
        }
        messages
    }

    fn frame(message: &[u8]) -> Vec<u8> {
        [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat()
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5),
            cuts in proptest::collection::vec(0_usize..30, 0..20),
        ) {
            let mut rest: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
            let mut pieces = Vec::new();
            for cut in cuts {
                let after = rest.split_off(cut.min(rest.len()));
                pieces.push(std::mem::replace(&mut rest, after));
            }
            pieces.push(rest);
            let expected: Vec<_> = messages.into_iter().map(|message| Ok(Bytes::from(message))).collect();
            prop_assert_eq!(read(pieces, 40), expected);
        }
    }

    #[test]
    fn what_is_too_long_compressed_or_cut_off_is_an_error() {
        let whole = frame(b"0123456789");
        assert_eq!(read(vec![whole.clone()], 10), [Ok(Bytes::from_static(b"0123456789"))]);
        assert_eq!(read(vec![whole[..5].to_vec()], 9), [Err(Code::OutOfRange)], "before it came");
        assert_eq!(read(vec![whole[..14].to_vec()], 10), [Err(Code::InvalidArgument)]);
        assert_eq!(read(vec![whole[..3].to_vec()], 10), [Err(Code::InvalidArgument)]);
        assert_eq!(read(vec![[&[1], &whole[1..]].concat()], 10), [Err(Code::Unimplemented)]);
        assert_eq!(read(vec![[&[2], &whole[1..]].concat()], 10), [Err(Code::Internal)]);
        assert_eq!(read(vec![], 10), []);
    }

    #[test]
    fn nothing_is_kept_of_a_message_that_was_taken() {
        let whole = frame(&vec![7; 1 << 20]);
        let pieces: Vec<_> = whole.chunks(16 << 10).map(<[u8]>::to_vec).collect();
        let mut inbound = Inbound::new(Pieces(pieces.into()), 2 << 20);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Some(Ok(message))) = inbound.poll_message(&mut context) else { panic!() };
        assert_eq!(message.len(), 1 << 20);
        assert!(message.is_unique(), "its memory goes with it");
    }
}
