//! The gRPC codec: requests stay bytes, answers are encoded messages.

use bytes::{Buf as _, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Hands a request over as the bytes it came in and encodes an answer of type `M`.
pub(super) struct BytesIn<M>(std::marker::PhantomData<fn(M)>);

/// Takes the frame as it is.
pub(super) struct Frame;

/// Writes a message.
pub(super) struct Encode<M>(std::marker::PhantomData<fn(M)>);

impl<M> Default for BytesIn<M> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<M: Message + Send + 'static> Codec for BytesIn<M> {
    type Encode = M;
    type Decode = Bytes;
    type Encoder = Encode<M>;
    type Decoder = Frame;

    fn encoder(&mut self) -> Self::Encoder {
        Encode(std::marker::PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Frame
    }
}

impl Decoder for Frame {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}

impl<M: Message> Encoder for Encode<M> {
    type Item = M;
    type Error = Status;

    fn encode(&mut self, item: M, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(dst).map_err(|_| Status::internal("the answer could not be encoded"))
    }
}
