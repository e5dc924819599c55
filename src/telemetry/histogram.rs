//! A histogram of durations without a lock: a request adds to three counters and goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in nanoseconds. What is above the last is in one more.
type Bounds = [u64; 16];

/// Of decisions: from 10 µs to 1 s.
const DECISIONS: Bounds = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];

/// Of exchanges with other servers: from 5 ms to 10 s, after which they are given up.
const EXCHANGES: Bounds = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    150_000_000,
    250_000_000,
    400_000_000,
    600_000_000,
    1_000_000_000,
    1_500_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// How often which durations were seen.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static Bounds,
    buckets: [AtomicU64; 16],
    above: AtomicU64,
    nanos: AtomicU64,
}

/// A histogram as it was at one moment.
#[derive(Debug)]
pub(super) struct Reading {
    /// In seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bound in seconds, and how many were in this bucket and no lower one. The last bound is `f64::MAX`.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub(super) fn of_decisions() -> Self {
        Self::with(&DECISIONS)
    }

    pub(super) fn of_exchanges() -> Self {
        Self::with(&EXCHANGES)
    }

    fn with(bounds: &'static Bounds) -> Self {
        Self { bounds, buckets: Default::default(), above: AtomicU64::default(), nanos: AtomicU64::default() }
    }

    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < nanos);
        self.buckets.get(bucket).unwrap_or(&self.above).fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Reading {
        let counts = self.buckets.iter().chain([&self.above]).map(|count| count.load(Ordering::Relaxed));
        let bounds =
            self.bounds.iter().map(|bound| Duration::from_nanos(*bound).as_secs_f64()).chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        // The count is that of the buckets, so that the two agree also while requests go on.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        Reading { sum, count, buckets }
    }
}

impl Reading {
    /// Both together; they have the same bounds.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        for ((_, count), (_, more)) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        Self { sum: self.sum + other.sum, count: self.count + other.count, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_lowest_bucket_that_holds_it() {
        for (micros, bucket) in
            [(0, 0), (10, 0), (11, 1), (25, 1), (1_000, 6), (1_000_000, 15), (1_000_001, 16)]
        {
            let histogram = Histogram::of_decisions();
            histogram.observe(Duration::from_micros(micros));
            let reading = histogram.read();
            assert_eq!(reading.buckets[bucket].1, 1, "{micros} µs");
            assert_eq!(reading.count, 1);
        }
    }

    #[test]
    fn the_sum_is_in_seconds() {
        let histogram = Histogram::of_exchanges();
        histogram.observe(Duration::from_millis(1_500));
        histogram.observe(Duration::from_millis(500));
        let reading = histogram.read();
        assert!((reading.sum - 2.0).abs() < 1e-9);
        assert_eq!((reading.count, reading.buckets.len()), (2, 17));
    }
}
