//! Axes: where a value lies between 0 and 1, and which values are written beside it.

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Evenly.
    Linear {
        /// The value at 0.
        low: f64,
        /// The value at 1.
        high: f64,
    },
    /// Evenly by ratio. Both ends are above zero.
    Log {
        /// The value at 0.
        low: f64,
        /// The value at 1.
        high: f64,
    },
}

/// Steps of a linear axis within a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];
/// Steps of an axis of time, in seconds.
const SECONDS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0,
    28_800.0, 86_400.0,
];

impl Scale {
    /// From zero to a round value that is no less than `most`, with about `steps` steps; and those.
    pub(super) fn from_zero(most: f64, steps: u32) -> (Self, Vec<f64>) {
        let step = step(most.max(f64::MIN_POSITIVE) / f64::from(steps));
        let ticks = multiples(step, (most / step - 1e-9).ceil().max(1.0));
        let high = ticks.last().copied().unwrap_or(step);
        (Self::Linear { low: 0.0, high }, ticks)
    }

    /// By ratio over the values 1, 2 and 5 of each power of ten, or over the powers alone where those are many.
    pub(super) fn by_ratio(least: f64, most: f64) -> (Self, Vec<f64>) {
        let least = least.max(f64::MIN_POSITIVE);
        let most = most.max(least);
        let marks: &[f64] = if most / least < 5e2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        let mut power = 10_f64.powf(least.log10().floor());
        while ticks.last().is_none_or(|last| *last < most) {
            ticks.extend(marks.iter().map(|mark| mark * power));
            power *= 10.0;
        }
        let from = ticks.iter().rposition(|tick| *tick <= least * (1.0 + 1e-9)).unwrap_or_default();
        ticks.drain(..from);
        let to =
            ticks.iter().position(|tick| *tick >= most * (1.0 - 1e-9)).map_or(ticks.len(), |index| index + 1);
        ticks.truncate(to.max(2));
        let (low, high) = (ticks.first().copied().unwrap_or(least), ticks.last().copied().unwrap_or(most));
        (Self::Log { low, high }, ticks)
    }

    /// From zero to `end` seconds exactly, with about six steps of round times.
    pub(super) fn of_time(end: f64) -> (Self, Vec<f64>) {
        let end = end.max(1e-3);
        let step = if end < 5.0 {
            step(end / 5.0)
        } else {
            SECONDS
                .into_iter()
                .find(|step| end / step <= 7.0)
                .unwrap_or_else(|| 86_400.0 * (end / 86_400.0 / 6.0).ceil())
        };
        (Self::Linear { low: 0.0, high: end }, multiples(step, (end / step + 1e-9).floor()))
    }

    /// Where `value` lies: 0 at the low end, 1 at the high one, never beyond.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The least of 1, 2, 2.5 and 5 with a power of ten that is no less than `least`.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let step = STEPS.into_iter().map(|step| step * power).find(|step| *step >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0 * power)
}

/// 0, `step`, … `count` times.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few steps")]
fn multiples(step: f64, count: f64) -> Vec<f64> {
    (0..=count.clamp(0.0, 100.0) as u32).map(|index| f64::from(index) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check((_, ticks): (Scale, Vec<f64>), expected: &[f64]) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
        assert!(ticks.len() == expected.len() && ticks.iter().zip(expected).all(near), "{ticks:?}");
    }

    #[test]
    fn a_linear_axis_has_round_steps_up_to_above_the_most() {
        check(Scale::from_zero(4_985.0, 5), &[0.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]);
        check(Scale::from_zero(5_000.0, 5), &[0.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]);
        check(Scale::from_zero(0.06, 5), &[0.0, 0.02, 0.04, 0.06]);
        check(Scale::from_zero(28.9, 4), &[0.0, 10.0, 20.0, 30.0]);
        let (scale, ticks) = Scale::from_zero(0.0, 5);
        assert!(ticks.len() >= 2 && scale.at(0.0) == 0.0);
    }

    #[test]
    fn an_axis_by_ratio_has_ones_twos_and_fives() {
        check(Scale::by_ratio(182.0, 4_800.0), &[100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]);
        check(Scale::by_ratio(182.0, 812_000.0), &[100.0, 1e3, 1e4, 1e5, 1e6]);
        check(Scale::by_ratio(100.0, 100.0), &[100.0, 200.0]);
        check(Scale::by_ratio(1.0, 5.0), &[1.0, 2.0, 5.0]);
    }

    #[test]
    fn an_axis_of_time_ends_with_the_time() {
        check(Scale::of_time(60.0), &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        check(Scale::of_time(61.2), &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        check(Scale::of_time(0.9), &[0.0, 0.2, 0.4, 0.6, 0.8]);
        check(Scale::of_time(86_400.0), &[0.0, 14_400.0, 28_800.0, 43_200.0, 57_600.0, 72_000.0, 86_400.0]);
        assert!(Scale::of_time(1e9).1.len() <= 8);
        assert!(Scale::of_time(0.0).1.len() <= 7);
    }

    #[test]
    fn values_lie_between_the_ends() {
        let log = Scale::Log { low: 10.0, high: 1_000.0 };
        let linear = Scale::Linear { low: 0.0, high: 4.0 };
        for (scale, value, expected) in [
            (log, 100.0, 0.5),
            (log, 1.0, 0.0),
            (log, 0.0, 0.0),
            (log, 1e9, 1.0),
            (linear, 1.0, 0.25),
            (linear, f64::NAN, 0.0),
            (Scale::Linear { low: 1.0, high: 1.0 }, 1.0, 0.0),
        ] {
            assert!((scale.at(value) - expected).abs() < 1e-9, "{scale:?} {value}");
        }
    }
}
