//! When to fetch again: on time with jitter after a success, with full jitter and longer and longer after failures.

use std::time::Duration;

/// After a success.
pub(super) const EVERY: Duration = Duration::from_secs(600);

/// Bounds of the wait after failures.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait after `failures` failures in a row. `chance` in 0.0..1.0 spreads servers that started together.
pub(super) fn wait(failures: u32, chance: f64) -> Duration {
    if failures == 0 {
        return EVERY.mul_f64(0.9 + 0.2 * chance);
    }
    let ceiling = SHORTEST.saturating_mul(1 << failures.min(16)).min(LONGEST);
    SHORTEST + (ceiling - SHORTEST).mul_f64(chance)
}

/// An even chance in 0.0..1.0; the middle where the machine has no randomness to give.
pub(super) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_repeated_after_ten_minutes_more_or_less() {
        assert_eq!(wait(0, 0.0), Duration::from_secs(540));
        assert_eq!(wait(0, 0.5), Duration::from_secs(600));
        assert!(wait(0, 0.999_999) <= Duration::from_secs(660));
    }

    #[test]
    fn failures_wait_between_a_second_and_a_minute() {
        for failures in [1, 2, 5, 10, 100, u32::MAX] {
            assert_eq!(wait(failures, 0.0), SHORTEST);
            assert!(wait(failures, 0.999_999) <= LONGEST);
        }
        assert!(wait(1, 0.999_999) <= Duration::from_secs(2));
        assert!(wait(10, 0.9) > Duration::from_secs(50));
    }

    #[test]
    fn chances_are_even() {
        let all: Vec<_> = (0..1_000).map(|_| chance()).collect();
        assert!(all.iter().all(|chance| (0.0..1.0).contains(chance)));
        let mean = all.iter().sum::<f64>() / 1_000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }
}
