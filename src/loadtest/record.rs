//! What is measured of one request.

use std::time::Duration;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The answer that was expected.
    Right,
    /// A refusal with this HTTP status where a permit was expected, or the other way round.
    Refused(u16),
    /// An answer that no Envoy should get: no credential in it, the caller's own left on the request, not of the schema.
    Wrong(&'static str),
    /// The call ended with this gRPC status.
    Status(i32),
    /// No answer in time.
    TimedOut,
    /// The connection broke, or there was none.
    Broken,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was due, from the start of the measurement.
    pub due: Duration,
    /// From when it was due to its answer.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}
