//! `bouncer loadtest`: speaks to an ext_proc or ext_authz server as Envoy does, judges every answer, and says what it took.
//!
//! ```text
//! key ──> callers ──> question: what is asked ──> drive: closed or open loop (pacer, alarm) ──> ask ──> check
//!   └──> issuer: the key set                        │ connect: TCP, TLS, Unix                     Sample, one a request
//!                                                 run: one drive a thread ──> record ──> summary ──> report
//! ```

mod alarm;
mod ask;
mod callers;
mod chat;
mod check;
mod connect;
mod drive;
mod gauge;
mod host;
mod issuer;
mod key;
mod latency;
mod limits;
mod messages;
mod pacer;
mod plan;
mod probe;
mod progress;
mod question;
mod record;
pub mod report;
mod run;
mod summary;
mod timeline;
mod told;
mod units;

pub use callers::{Callers, CallersError, Claims};
pub use check::Expectation;
pub use connect::ConnectError;
pub use gauge::Gauge;
pub use host::{HostError, Process, Usage, UsageLine};
pub use issuer::{Issuer, IssuerError};
pub use key::{KeyError, SigningKey};
pub use limits::{Limits, Missed};
pub use plan::{Address, Pace, Plan, Protocol, Target, Tls, Until};
pub use probe::{Probe, probe};
pub use progress::Progress;
pub use question::{BodyShown, Phases, Question, QuestionError, Questions};
pub use record::{Outcome, Recorder, Sample};
pub use run::{LoadtestError, Measured, Running, run, start};
pub use summary::{Asked, Summary};

#[cfg(test)]
mod fixture;
