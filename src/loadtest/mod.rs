//! `bouncer loadtest`: speaks to an ext_proc or ext_authz server as Envoy does, judges every answer, and says what it took.
//!
//! ```text
//! plan ──> callers, question: what is asked      connect: TCP, TLS, Unix ──> drive: closed or open loop
//!                                                                              │ Sample, one a request
//!                                                 report <── summary <── record┘   host: CPU and memory of the server
//! ```
//!
//! `benches/hotpath` drives its servers with the same engine.

mod gauge;
mod host;
mod latency;
mod limits;
mod plan;
mod progress;
mod record;
pub mod report;
mod summary;
mod timeline;
mod units;

pub use gauge::Gauge;
pub use host::{HostError, Process, Usage, UsageLine};
pub use limits::{Limits, Missed};
pub use plan::{Address, Pace, Plan, Protocol, Target, Tls, Until};
pub use progress::Progress;
pub use record::{Outcome, Recorder, Sample};
pub use summary::{Asked, Summary};

#[cfg(test)]
mod fixture;
