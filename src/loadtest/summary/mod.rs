//! What a run comes to, as the reports tell it.

mod latency;
mod server;

use std::time::Duration;

pub(super) use latency::{Bar, Latency, Percentile};
pub(super) use server::{Server, ServerPoint};

use super::host::UsageLine;
use super::plan::{Pace, Plan};
use super::record::{Outcome, Recorder};
use super::timeline::{Slot, Timeline};
use crate::base::UnixTime;

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Whom, and how fast.
    pub plan: Plan,
    /// By how many different callers.
    pub callers: u64,
    /// What else is worth a line: `("body", "4 KiB, buffered")`.
    pub details: Vec<(&'static str, String)>,
}

/// A run in figures. Latencies are in microseconds, from when a request was due to its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was asked.
    pub asked: Asked,
    /// When the measurement began.
    pub began: UnixTime,
    /// How long was measured, to the last right answer at least.
    pub elapsed: Duration,
    /// Requests that got an answer, or ended without one.
    pub requests: u64,
    /// Those with the answer that was expected.
    pub right: u64,
    /// The others by kind, most first.
    pub errors: Vec<ErrorKind>,
    /// Of kinds beyond those that are told apart.
    pub other_errors: u64,
    /// Right answers a second.
    pub rate: f64,
    /// None: not one right answer, and none that was too late.
    pub latency: Option<Latency>,
    /// What happened when.
    pub timeline: Vec<Interval>,
    /// None: the server is not on this host, or nobody asked.
    pub server: Option<Server>,
}

/// Requests that went wrong in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorKind {
    /// The way.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// When the first of them was due, from the start of the measurement.
    pub first: Duration,
    /// What was said of the first.
    pub reason: Option<String>,
}

/// A part of the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// From the start of the measurement.
    pub start: Duration,
    /// How long it is.
    pub width: Duration,
    /// Requests that ended in it.
    pub answered: u64,
    /// Those of them that went wrong.
    pub errors: u64,
    /// Latencies of those that were due in it: p50, p99, and the longest, in microseconds.
    pub took: Option<(u64, u64, u64)>,
}

impl Summary {
    /// Adds up what was measured in `elapsed`, from `began` on, and what was read of the server meanwhile.
    #[must_use]
    pub fn new(
        asked: Asked,
        began: UnixTime,
        elapsed: Duration,
        recorder: &Recorder,
        server: Option<&UsageLine>,
    ) -> Self {
        // Where the answers come late the rate is what was answered in the time that it took, not in the time that was given.
        let elapsed = elapsed.max(recorder.last_right);
        let mut errors: Vec<_> = recorder
            .errors
            .iter()
            .map(|(outcome, errors)| ErrorKind {
                outcome: *outcome,
                count: errors.count,
                first: errors.first,
                reason: errors.reason.clone(),
            })
            .collect();
        errors.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        Self {
            asked,
            began,
            elapsed,
            requests: recorder.requests,
            right: recorder.right,
            errors,
            other_errors: recorder.other_errors,
            rate: a_second(recorder.right, elapsed),
            latency: Latency::of(&recorder.latencies),
            timeline: intervals(&recorder.timeline, elapsed),
            server: server.and_then(|line| Server::of(line, recorder.requests)),
        }
    }

    /// Requests that went wrong.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.requests.saturating_sub(self.right)
    }

    /// What was asked for a second, in an open loop.
    #[must_use]
    pub fn rate_asked(&self) -> Option<f64> {
        match self.asked.plan.pace {
            Pace::Open { rate } => Some(rate),
            Pace::Closed => None,
        }
    }
}

impl Interval {
    /// Answers of any kind a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        a_second(self.answered, self.width)
    }

    /// Errors a second.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        a_second(self.errors, self.width)
    }
}

fn a_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { float(count) / time.as_secs_f64() }
}

/// The last slot is cut where the measurement ends; a short rest belongs to the one before it, for a few answers in no time
/// are no rate.
fn intervals(timeline: &Timeline, elapsed: Duration) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::with_capacity(timeline.slots().len());
    let (width, mut start) = (timeline.width(), Duration::ZERO);
    let mut slots = timeline.slots().iter().peekable();
    while let Some(slot) = slots.next() {
        let next = start.saturating_add(width);
        let rest = elapsed.saturating_sub(next);
        if let Some(last) = slots.next_if(|_| !rest.is_zero() && rest < width / 2) {
            let mut both = slot.clone();
            both.merge(last);
            intervals.push(interval(start, width + rest, &both));
            start = next.saturating_add(width);
        } else {
            let own = elapsed.saturating_sub(start);
            intervals.push(interval(start, if own.is_zero() { width } else { own.min(width) }, slot));
            start = next;
        }
    }
    intervals
}

fn interval(start: Duration, width: Duration, slot: &Slot) -> Interval {
    let Slot { answered, errors, latencies } = slot;
    let took = || (latencies.quantile(0.5), latencies.quantile(0.99), latencies.max());
    let took = (latencies.count() > 0).then(took);
    Interval { start, width, answered: *answered, errors: *errors, took }
}

#[allow(clippy::cast_precision_loss, reason = "counts and microseconds, told in a few digits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
