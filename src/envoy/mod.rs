//! Envoy's two ways of asking: ext_proc (a stream a request) and ext_authz (one call a request).

mod budget;
mod current;
mod ext_authz;
mod ext_proc;
mod facts;
mod grpc;
mod headers;
mod mutation;
mod refusal;
mod structs;
#[cfg(test)]
#[path = "tests/bench.rs"]
mod testing;
mod wire;

pub use current::{Current, Generation, Local, labels};
pub use ext_authz::{Authorization, Checking};
pub use ext_proc::{Answers, ExternalProcessor};

/// The compiled `proto/`, for server reflection.
pub const DESCRIPTORS: &[u8] = wire::DESCRIPTORS;
