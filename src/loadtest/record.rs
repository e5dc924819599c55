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

/// What one generator measured.
#[derive(Debug, Default)]
pub struct Recorder {
    /// All of it.
    pub samples: Vec<Sample>,
    /// The first words of each kind of error.
    pub reasons: std::collections::BTreeMap<Outcome, String>,
}

impl Recorder {
    /// One without samples.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more request.
    pub fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// One more request that went wrong, and what was said of it.
    pub fn add_with_reason(&mut self, sample: Sample, reason: &str) {
        self.add(sample);
        self.reasons.entry(sample.outcome).or_insert_with(|| reason.to_owned());
    }

    /// What another measured beside this one.
    pub fn merge(&mut self, other: Self) {
        self.samples.extend(other.samples);
        self.reasons.extend(other.reasons);
    }
}
