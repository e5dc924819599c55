//! How long answers took: quantiles, their curve, and a histogram.

use super::super::latency::Latencies;
use super::float;

/// Columns of the histogram.
const BARS: u32 = 48;
/// The curve of percentiles ends at 99.999: five nines, twenty points each.
const NINES: u32 = 5;
const POINTS_A_NINE: u32 = 20;

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

impl Latency {
    /// The mean, rounded.
    pub(in crate::loadtest) fn mean_micros(&self) -> u64 {
        whole(self.mean)
    }

    pub(super) fn of(latencies: &Latencies<u64>) -> Option<Self> {
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

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a minute")]
fn whole(micros: f64) -> u64 {
    micros.round() as u64
}
