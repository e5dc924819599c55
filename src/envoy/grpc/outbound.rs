//! Our side of a call: its head, frames of messages, the status at its end.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use prost::Message;
use tonic::Status;

use super::PREFIX;

/// A message with its prefix, being written.
pub(in crate::envoy) struct Frame(BytesMut);

impl Frame {
    /// Nothing yet, with room for a message of so many bytes.
    pub(in crate::envoy) fn with_capacity(length: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(PREFIX + length);
        bytes.put_bytes(0, PREFIX);
        Self(bytes)
    }

    /// A whole message.
    pub(in crate::envoy) fn of(message: &impl Message) -> Self {
        let mut frame = Self::with_capacity(message.encoded_len());
        frame.add(message);
        frame
    }

    /// Fields of the same message, after those that are there.
    pub(in crate::envoy) fn add(&mut self, message: &impl Message) {
        // Fails only where the buffer cannot grow, and this one can.
        let _never = message.encode(&mut self.0);
    }

    /// Where the message's bytes go.
    pub(in crate::envoy) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.0
    }

    /// As it is sent.
    pub(in crate::envoy) fn finish(self) -> Bytes {
        let mut bytes = self.0;
        let length = bytes.len().saturating_sub(PREFIX);
        // An answer is never that long: its parts are ours, or pieces of what one message brought.
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some((_, place)) =
            bytes.first_chunk_mut::<PREFIX>().and_then(|prefix| prefix.split_first_mut())
        {
            place.copy_from_slice(&length);
        }
        bytes.freeze()
    }
}

/// The head of every answer: what became of the call stands at its end.
pub(in crate::envoy) fn head<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The end of a call.
pub(in crate::envoy) fn trailers(status: Option<&Status>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    match status {
        None => {
            trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        }
        Some(status) => {
            // A message that no header can hold goes without: the code says what matters.
            if status.add_header(&mut trailers).is_err() {
                trailers.insert(Status::GRPC_STATUS, HeaderValue::from(i32::from(status.code())));
            }
        }
    }
    trailers
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::envoy::wire::pb::envoy::config::core::v3::HeaderValue as Line;

    #[test]
    fn a_frame_says_how_long_its_message_is() {
        let message = Line { key: "a".into(), ..Line::default() };
        assert_eq!(Frame::of(&message).finish(), [0, 0, 0, 0, 3, 0x0a, 1, b'a'].as_slice());
        let mut two = Frame::of(&message);
        two.add(&Line { raw_value: b"b".to_vec(), ..Line::default() });
        assert_eq!(two.finish(), [0, 0, 0, 0, 6, 0x0a, 1, b'a', 0x1a, 1, b'b'].as_slice());
    }

    #[test]
    fn a_call_ends_with_its_status() {
        assert_eq!(Status::from_header_map(&trailers(None)).unwrap().code(), Code::Ok);
        let status = Status::invalid_argument("what was wrong, 100 %");
        let read = Status::from_header_map(&trailers(Some(&status))).unwrap();
        assert_eq!((read.code(), read.message()), (Code::InvalidArgument, "what was wrong, 100 %"));
    }
}
