//! What a run comes to, as the reports tell it.

use std::time::Duration;

use super::host::{Usage, UsageLine};
use super::latency::Latencies;
use super::plan::{Pace, Plan};
use super::record::{Outcome, Recorder};
use super::timeline::{Slot, Timeline};
use crate::base::UnixTime;

/// Columns of the histogram.
const BARS: u32 = 48;
/// The curve of percentiles ends at 99.999: five nines, twenty points each.
const NINES: u32 = 5;
const POINTS_A_NINE: u32 = 20;

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

/// Of right answers, and of those that came too late or never.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "they are what they are called, in microseconds")]
pub struct Latency {
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    /// How many are in it.
    pub count: u64,
    /// Those of them that took more than a minute and count as one.
    pub clamped: u64,
    /// The curve of percentiles, evenly over the number of nines.
    pub percentiles: Vec<Percentile>,
    /// How many took how long, in columns of equal ratio: the bulk of them.
    pub bars: Vec<Bar>,
    /// The few that took longer than those.
    pub tail: Option<Bar>,
}

/// So many percent took no longer than this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// 0 to 99.999, and 100.
    pub percent: f64,
    /// Microseconds.
    pub took: u64,
}

/// A column of the histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The shortest in it, in microseconds.
    pub from: u64,
    /// The longest in it.
    pub to: u64,
    /// How many.
    pub count: u64,
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

/// What it cost the server's process.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// CPU a request in microseconds, whatever came of it; None: there was no request.
    pub cpu_per_request: Option<f64>,
    /// Cores in use, on average.
    pub cores: f64,
    /// When the measurement began.
    pub start: Usage,
    /// When it ended.
    pub end: Usage,
    /// The most memory that was in use.
    pub peak_rss_bytes: u64,
    /// What was read between.
    pub points: Vec<ServerPoint>,
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerPoint {
    /// From the start of the measurement.
    pub at: Duration,
    /// Cores in use since the reading before.
    pub cores: f64,
    /// What was read.
    pub usage: Usage,
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

impl Latency {
    /// The mean, rounded.
    pub(super) fn mean_micros(&self) -> u64 {
        whole(self.mean)
    }

    fn of(latencies: &Latencies<u64>) -> Option<Self> {
        let (bars, tail) = bars(latencies);
        (latencies.count() > 0).then(|| Self {
            min: latencies.min(),
            mean: latencies.mean(),
            p50: latencies.quantile(0.5),
            p90: latencies.quantile(0.9),
            p99: latencies.quantile(0.99),
            p999: latencies.quantile(0.999),
            max: latencies.max(),
            count: latencies.count(),
            clamped: latencies.clamped(),
            percentiles: percentiles(latencies),
            bars,
            tail,
        })
    }
}

impl Server {
    fn of(line: &UsageLine, requests: u64) -> Option<Self> {
        let (&(from, start), &(to, end)) = (line.points().first()?, line.points().last()?);
        let cpu = end.cpu.saturating_sub(start.cpu);
        let mut before = (from, start);
        let points = line.points().iter().map(|&(at, usage)| {
            let (earlier, used) = std::mem::replace(&mut before, (at, usage));
            let cores = cores(usage.cpu.saturating_sub(used.cpu), at.saturating_sub(earlier));
            ServerPoint { at, cores, usage }
        });
        let points: Vec<_> = points.skip(1).collect();
        let seen = line.points().iter().map(|(_, usage)| usage.rss_bytes).max()?;
        // The kernel's own mark tells of now only where it moved meanwhile.
        let marked = if end.peak_rss_bytes > start.peak_rss_bytes { end.peak_rss_bytes } else { 0 };
        Some(Self {
            cpu_per_request: (requests > 0).then(|| cpu.as_secs_f64() * 1e6 / float(requests)),
            cores: cores(cpu, to.saturating_sub(from)),
            start,
            end,
            peak_rss_bytes: seen.max(marked),
            points,
        })
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

fn cores(cpu: Duration, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { cpu.as_secs_f64() / time.as_secs_f64() }
}

/// Evenly over the nines, as far as there are samples that tell them apart.
fn percentiles(latencies: &Latencies<u64>) -> Vec<Percentile> {
    let mut points = Vec::new();
    for step in 0..=NINES * POINTS_A_NINE {
        let left = 10_f64.powf(-f64::from(step) / f64::from(POINTS_A_NINE));
        if left * float(latencies.count()) < 1.0 {
            break;
        }
        points.push(Percentile { percent: 100.0 * (1.0 - left), took: latencies.quantile(1.0 - left) });
    }
    points.push(Percentile { percent: 100.0, took: latencies.max() });
    points
}

/// Up to where all but one in a thousand are, or to ten times the median: with a few long ones the bulk would be one column.
fn bars(latencies: &Latencies<u64>) -> (Vec<Bar>, Option<Bar>) {
    let (min, max) = (latencies.min(), latencies.max());
    let end = latencies.quantile(0.999).min(latencies.quantile(0.5).saturating_mul(10));
    let ratio = (float(end) / float(min)).powf(1.0 / f64::from(BARS));
    let (mut bars, mut from) = (Vec::new(), min);
    for column in 1..=BARS {
        let to =
            if column == BARS { end } else { whole(float(min) * ratio.powf(f64::from(column))).min(end) };
        if to >= from {
            bars.push(Bar { from, to, count: 0 });
            from = to + 1;
        }
    }
    let mut tail = Bar { from, to: max, count: 0 };
    for (value, count) in latencies.counts() {
        let column = bars.partition_point(|bar| bar.to < value);
        let bar = bars.get_mut(column).unwrap_or(&mut tail);
        bar.count = bar.count.saturating_add(count);
    }
    (bars, (tail.count > 0).then_some(tail))
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

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a minute")]
fn whole(micros: f64) -> u64 {
    micros.round() as u64
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
