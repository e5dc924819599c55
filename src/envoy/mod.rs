//! Envoy's two ways of asking: ext_proc (a stream a request) and ext_authz (one call a request).

mod budget;
mod codec;
mod current;
mod ext_authz;
mod ext_proc;
mod facts;
mod headers;
mod refusal;
mod structs;
#[cfg(test)]
#[path = "tests/bench.rs"]
mod testing;
mod wire;

pub use current::{Current, Generation, labels};
pub use ext_authz::Authorization;
pub use ext_proc::ExternalProcessor;

/// The compiled `proto/`, for server reflection.
pub const DESCRIPTORS: &[u8] = wire::DESCRIPTORS;
