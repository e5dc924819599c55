//! What one generator has counted so far, for whoever looks on while it runs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::latency::{LONGEST, micros};

/// Eighths of an octave: a quantile is told within 13 %.
const STEPS: u32 = 8;
/// Up to the first power of two above [`LONGEST`].
const BUCKETS: usize = 200;

/// Written by its generator alone, read by anyone; neither waits for the other.
#[derive(Debug)]
pub struct Gauge {
    answered: AtomicU64,
    errors: AtomicU64,
    took: [AtomicU32; BUCKETS],
}

/// A reading of many of them, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) answered: u64,
    pub(super) errors: u64,
    took: [u32; BUCKETS],
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            answered: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            took: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }

    pub(super) fn answered(&self) {
        one_more(&self.answered);
    }

    pub(super) fn failed(&self) {
        one_more(&self.errors);
    }

    pub(super) fn took(&self, took: Duration) {
        if let Some(bucket) = self.took.get(bucket(micros(took).min(LONGEST))) {
            bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

impl Reading {
    pub(super) fn of<'g>(gauges: impl IntoIterator<Item = &'g Gauge>) -> Self {
        let mut sum = Self { answered: 0, errors: 0, took: [0; BUCKETS] };
        for gauge in gauges {
            sum.answered += gauge.answered.load(Ordering::Relaxed);
            sum.errors += gauge.errors.load(Ordering::Relaxed);
            for (sum, bucket) in sum.took.iter_mut().zip(&gauge.took) {
                *sum = sum.wrapping_add(bucket.load(Ordering::Relaxed));
            }
        }
        sum
    }

    /// The 99th percentile of what was measured after `earlier`, in microseconds.
    pub(super) fn p99_since(&self, earlier: &Self) -> Option<u64> {
        let mut new = [0_u64; BUCKETS];
        for ((new, now), before) in new.iter_mut().zip(&self.took).zip(&earlier.took) {
            *new = u64::from(now.wrapping_sub(*before));
        }
        let all: u64 = new.iter().sum();
        let rank = all - all / 100;
        let mut seen = 0;
        let reached = new.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        reached.filter(|_| all > 0).map(highest)
    }
}

/// It has one writer, so that a load and a store do.
fn one_more(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

fn bucket(micros: u64) -> usize {
    let octave = micros.max(1).ilog2();
    let shift = octave.saturating_sub(STEPS.ilog2());
    usize::try_from(u64::from(shift * STEPS) + (micros >> shift)).unwrap_or(usize::MAX)
}

/// The last value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let steps = u64::from(STEPS);
    let shift = (bucket / steps).saturating_sub(1);
    ((bucket - shift * steps + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_bucket_that_ends_little_above_it() {
        assert!(bucket(LONGEST) < BUCKETS);
        for micros in (1..5_000).chain([123_456, 1_000_000, LONGEST]) {
            let end = highest(bucket(micros));
            assert!(end >= micros && end <= micros + micros / 7, "{micros}: {end}");
        }
    }

    #[test]
    fn only_what_is_new_counts() {
        let gauge = Gauge::new();
        let before = Reading::of([&gauge]);
        assert_eq!(before.p99_since(&before), None);
        (0..1_000).for_each(|_| gauge.took(Duration::from_secs(50)));
        let stall = Reading::of([&gauge]);
        assert!(stall.p99_since(&before) >= Some(50_000_000));
        (0..98).for_each(|_| gauge.took(Duration::from_micros(3)));
        (0..2).for_each(|_| gauge.took(Duration::from_micros(5)));
        assert_eq!(Reading::of([&gauge]).p99_since(&stall), Some(5));
        gauge.took(Duration::from_micros(3));
        assert_eq!(Reading::of([&gauge]).answered, 0);
    }
}
