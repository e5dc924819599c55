//! Latencies in a histogram: microseconds, from 1 µs to 60 s.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

/// The longest that is told apart, in microseconds. What took longer counts as this, and is counted.
pub(super) const LONGEST: u64 = 60_000_000;

/// Many latencies in bounded room. Sum and extremes are exact, quantiles as fine as the histogram is.
#[derive(Clone, Debug)]
pub(super) struct Latencies<T: Counter> {
    histogram: Histogram<T>,
    sum: u64,
    min: u64,
    max: u64,
    clamped: u64,
}

impl Latencies<u64> {
    /// Quantiles within 0.1 % (three significant digits), in 140 KB whatever is added.
    pub(super) fn fine() -> Self {
        Self::of(Histogram::new_with_bounds(1, LONGEST, 3))
    }
}

impl Latencies<u32> {
    /// Quantiles within 1 % (two digits), in 1 to 10 KB, as the longest of them asks for.
    pub(super) fn coarse() -> Self {
        Self::of(Histogram::new(2))
    }
}

impl<T: Counter> Latencies<T> {
    fn of<E>(histogram: Result<Histogram<T>, E>) -> Self {
        let Ok(histogram) = histogram else { unreachable!("bounds and digits are constants in range") };
        Self { histogram, sum: 0, min: u64::MAX, max: 0, clamped: 0 }
    }

    pub(super) fn add(&mut self, took: Duration) {
        let exact = micros(took);
        let value = exact.min(LONGEST);
        self.clamped = self.clamped.saturating_add(u64::from(exact > LONGEST));
        let added = self.histogram.record(value);
        debug_assert!(added.is_ok(), "the value is in bounds, or the histogram grows");
        self.sum = self.sum.saturating_add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok(), "both have the same bounds, or grow");
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.clamped = self.clamped.saturating_add(other.clamped);
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// How many took longer than [`LONGEST`].
    pub(super) fn clamped(&self) -> u64 {
        self.clamped
    }

    pub(super) fn min(&self) -> u64 {
        self.min.min(self.max)
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    #[allow(clippy::cast_precision_loss, reason = "a mean of microseconds")]
    pub(super) fn mean(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum as f64 / self.count() as f64 }
    }

    /// The least value that at least this share (0 to 1) of all do not exceed; 0 where there is none.
    pub(super) fn quantile(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share).clamp(self.min(), self.max)
    }

    /// Each value that was seen, as finely as they are told apart, and how often.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let value = |value: u64| value.clamp(self.min(), self.max);
        self.histogram
            .iter_recorded()
            .map(move |step| (value(step.value_iterated_to()), step.count_since_last_iteration()))
    }

    /// The room that the counters take, in bytes.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.histogram.distinct_values() * size_of::<T>()
    }
}

/// Begun microseconds, at least one: nothing takes no time.
pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> Latencies<u64> {
        let mut latencies = Latencies::fine();
        micros.iter().for_each(|each| latencies.add(Duration::from_micros(*each)));
        latencies
    }

    #[test]
    fn nothing_was_measured_of_nothing() {
        let none = Latencies::fine();
        assert_eq!((none.count(), none.min(), none.max(), none.quantile(0.99)), (0, 0, 0, 0));
        assert!(none.mean().abs() < f64::EPSILON);
    }

    #[test]
    fn begun_microseconds_count() {
        for (nanos, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (2_000, 2)] {
            assert_eq!(micros(Duration::from_nanos(nanos)), expected, "{nanos}");
        }
        assert_eq!(micros(Duration::MAX), u64::MAX);
    }

    #[test]
    fn what_took_longer_than_a_minute_counts_as_one_and_is_counted() {
        let latencies = of(&[5, LONGEST, LONGEST + 1, u64::MAX]);
        assert_eq!((latencies.max(), latencies.clamped(), latencies.count()), (LONGEST, 2, 4));
        assert_eq!(latencies.quantile(1.0), LONGEST);
    }

    #[test]
    fn coarse_ones_take_little_room() {
        let mut coarse = Latencies::coarse();
        assert!(coarse.room() <= 2_048, "{}", coarse.room());
        coarse.add(Duration::MAX);
        assert!(coarse.room() <= 12_288, "{}", coarse.room());
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_list(
            mut list in proptest::collection::vec(1..=LONGEST, 1..400), share in 0.0..=1.0_f64,
        ) {
            let latencies = of(&list);
            list.sort_unstable();
            let rank = ((share * list.len() as f64).ceil() as usize).clamp(1, list.len());
            let exact = list[rank - 1];
            let told = latencies.quantile(share);
            prop_assert!(told >= exact && told <= exact + exact.div_ceil(1_000), "{told} for {exact}");
            prop_assert_eq!((latencies.min(), latencies.max()), (list[0], list[list.len() - 1]));
            let mean = list.iter().sum::<u64>() as f64 / list.len() as f64;
            prop_assert!((latencies.mean() - mean).abs() <= mean * 1e-9);
        }

        #[test]
        fn merged_is_as_if_added(
            one in proptest::collection::vec(1..=2 * LONGEST, 0..200),
            two in proptest::collection::vec(1..=2 * LONGEST, 0..200),
            share in 0.0..=1.0_f64,
        ) {
            let mut merged = of(&one);
            merged.merge(&of(&two));
            let all = of(&[one.clone(), two.clone()].concat());
            prop_assert_eq!(merged.quantile(share), all.quantile(share));
            prop_assert_eq!((merged.count(), merged.clamped()), (all.count(), all.clamped()));
            prop_assert_eq!((merged.min(), merged.max(), merged.sum), (all.min(), all.max(), all.sum));
        }

        #[test]
        fn coarse_ones_merge_too(
            one in proptest::collection::vec(1..=LONGEST, 0..100),
            two in proptest::collection::vec(1..=10_000_u64, 0..100),
            share in 0.0..=1.0_f64,
        ) {
            let (mut a, mut b, mut all) = (Latencies::coarse(), Latencies::coarse(), Latencies::coarse());
            for (list, into) in [(&one, &mut a), (&two, &mut b)] {
                for each in list {
                    into.add(Duration::from_micros(*each));
                    all.add(Duration::from_micros(*each));
                }
            }
            b.merge(&a);
            prop_assert_eq!(b.quantile(share), all.quantile(share));
            prop_assert_eq!((b.count(), b.max(), b.min()), (all.count(), all.max(), all.min()));
        }
    }
}
