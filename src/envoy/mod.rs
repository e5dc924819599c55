//! Envoy's two ways of asking: ext_proc (a stream a request) and ext_authz (one call a request).

mod alarms;
mod budget;
mod current;
mod ext_authz;
mod ext_proc;
mod facts;
mod grpc;
mod headers;
mod local;
mod mutation;
mod refusal;
mod structs;
#[cfg(test)]
#[path = "tests/bench.rs"]
pub(crate) mod testing;
mod waiting;
mod wire;

pub use current::{Current, Generation, labels};
pub use ext_authz::{Authorization, Checking};
pub use ext_proc::{Answers, ExternalProcessor};
pub use local::Local;

/// The compiled `proto/`, for server reflection.
pub const DESCRIPTORS: &[u8] = wire::DESCRIPTORS;
