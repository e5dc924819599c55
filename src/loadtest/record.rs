//! What is measured of one request, and of many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::gauge::Gauge;
use super::latency::Latencies;
use super::timeline::Timeline;
use crate::base::printable;

/// So many kinds of errors are told apart: a server may make up statuses.
const MOST_KINDS: usize = 64;
/// Longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 240;

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

/// What one generator measured. Each has its own and they are merged in the end, so that none waits for another. The room it
/// takes is bounded (some 7 MB), however long it runs.
#[derive(Debug)]
pub struct Recorder {
    pub(super) requests: u64,
    pub(super) right: u64,
    pub(super) errors: BTreeMap<Outcome, Errors>,
    /// Of further kinds, once there are too many.
    pub(super) other_errors: u64,
    /// Of right answers, and of those that did not come in time: to leave them out would flatter the server. One that refuses
    /// or breaks off is quick, and would flatter it too.
    pub(super) latencies: Latencies<u64>,
    pub(super) timeline: Timeline,
    /// When the last right answer came.
    pub(super) last_right: Duration,
    gauge: Arc<Gauge>,
}

/// Those of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errors {
    pub(super) count: u64,
    /// When the first was due.
    pub(super) first: Duration,
    /// What was said of the first of which something was said.
    pub(super) reason: Option<String>,
}

impl Recorder {
    /// One without samples.
    #[must_use]
    pub fn new() -> Self {
        Self {
            requests: 0,
            right: 0,
            errors: BTreeMap::new(),
            other_errors: 0,
            latencies: Latencies::fine(),
            timeline: Timeline::new(),
            last_right: Duration::ZERO,
            gauge: Arc::new(Gauge::new()),
        }
    }

    /// What it counts, for the progress that is shown meanwhile.
    #[must_use]
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    /// One more request.
    pub fn add(&mut self, sample: Sample) {
        let Sample { due, took, outcome } = sample;
        let end = due.saturating_add(took);
        self.requests = self.requests.saturating_add(1);
        self.timeline.answered(end);
        self.gauge.answered();
        if outcome == Outcome::Right {
            self.right = self.right.saturating_add(1);
            self.last_right = self.last_right.max(end);
        } else {
            self.failed(outcome, Errors { count: 1, first: due, reason: None });
            self.timeline.failed(end);
            self.gauge.failed();
        }
        if matches!(outcome, Outcome::Right | Outcome::TimedOut) {
            self.latencies.add(took);
            self.timeline.took(due, took);
            self.gauge.took(took);
        }
    }

    /// One more request that went wrong, and what was said of it: a gRPC message, an error of the connection. The first
    /// of each kind is kept, without what a terminal would obey. Nothing secret may stand in it.
    pub fn add_with_reason(&mut self, sample: Sample, reason: &str) {
        self.add(sample);
        if let Some(errors) = self.errors.get_mut(&sample.outcome)
            && errors.reason.is_none()
            && !reason.trim().is_empty()
        {
            errors.reason = Some(printable(reason.trim(), LONGEST_REASON));
        }
    }

    /// What another measured beside this one.
    pub fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.right = self.right.saturating_add(other.right);
        self.other_errors = self.other_errors.saturating_add(other.other_errors);
        self.last_right = self.last_right.max(other.last_right);
        self.latencies.merge(&other.latencies);
        self.timeline.merge(other.timeline);
        for (outcome, errors) in other.errors {
            self.failed(outcome, errors);
        }
    }

    fn failed(&mut self, outcome: Outcome, errors: Errors) {
        if let Some(known) = self.errors.get_mut(&outcome) {
            known.merge(errors);
        } else if self.errors.len() < MOST_KINDS {
            self.errors.insert(outcome, errors);
        } else {
            self.other_errors = self.other_errors.saturating_add(errors.count);
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Errors {
    fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        if self.reason.is_none() || (other.reason.is_some() && other.first < self.first) {
            self.reason = other.reason.or(self.reason.take());
        }
        self.first = self.first.min(other.first);
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
