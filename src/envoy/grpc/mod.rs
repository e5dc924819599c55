//! gRPC over HTTP/2, server side: frames in, frames and a status out.
//!
//! Only what Envoy's two services need, and nothing between hyper and them: a message is a slice of what was read, an answer
//! one allocation, and no box, task or channel stands between a request and its answer. Everything else that speaks gRPC
//! here (health, reflection) has tonic's layers.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

mod inbound;
mod outbound;

pub(super) use inbound::Inbound;
pub(super) use outbound::{Frame, head, trailers};

/// A flag and four bytes of length before each message (`Length-Prefixed-Message`).
const PREFIX: usize = 5;
