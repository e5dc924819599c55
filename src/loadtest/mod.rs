//! `bouncer loadtest`: speaks to an ext_proc or ext_authz server as Envoy does, judges every answer, and says what it took.
//!
//! ```text
//! plan ──> callers, question: what is asked      connect: TCP, TLS, Unix ──> drive: closed or open loop
//!                                                                              │ Sample, one a request
//!                                                 report <── summary <── record┘   host: CPU and memory of the server
//! ```
//!
//! `benches/hotpath` drives its servers with the same engine.

mod plan;
mod record;

pub use plan::{Address, Pace, Plan, Protocol, Target, Tls, Until};
pub use record::{Outcome, Sample};
