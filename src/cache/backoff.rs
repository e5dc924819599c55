//! How long to wait after a failure: full jitter, longer and longer, never so long that a value which could still be renewed
//! ends meanwhile.

use std::time::Duration;

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may, after a pause.
    Soon,
    /// The other side said when.
    After(Duration),
    /// Not until somebody changes something. It is tried again all the same, seldom: the change may be at the other side.
    WhenChanged,
}

/// After the first failure; doubles with each one more.
const FIRST: Duration = Duration::from_millis(500);

/// No attempt follows sooner.
const SHORTEST: Duration = Duration::from_millis(100);

/// While a good value is held.
const LONGEST: Duration = Duration::from_secs(60);

/// While nothing is held: requests fail until an attempt succeeds.
const LONGEST_WITHOUT: Duration = Duration::from_secs(5);

/// What [`Retry::WhenChanged`] waits, and the most that `Retry-After` is believed.
const SELDOM: Duration = Duration::from_secs(60);

/// How long to wait after `failures` failures in a row. `left` is what remains of the value that is held; `chance` in
/// 0.0..1.0 spreads those that failed together.
pub(super) fn pause(failures: u32, retry: Retry, left: Option<Duration>, chance: f64) -> Duration {
    let longest = match left {
        None => LONGEST_WITHOUT,
        // Several attempts before the end, however short the life is.
        Some(left) => LONGEST.min(left / 4).max(FIRST),
    };
    let ceiling = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
    let jittered = SHORTEST + ceiling.saturating_sub(SHORTEST).mul_f64(chance);
    match retry {
        Retry::Soon => jittered,
        Retry::After(after) => jittered.max(after.min(SELDOM)),
        // While a value is held there is something to lose: one stray 404 of a server that restarts must not cost it.
        Retry::WhenChanged => {
            SELDOM.mul_f64(0.75 + 0.25 * chance).min(left.map_or(SELDOM, |left| (left / 4).max(FIRST)))
        }
    }
}

/// An even chance in 0.0..1.0; the middle where the machine has no randomness to give.
#[must_use]
pub fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        for failures in [1, 2, 5, 30, u32::MAX] {
            for left in [None, Some(Duration::ZERO), Some(Duration::from_secs(3_600))] {
                assert_eq!(pause(failures, Retry::Soon, left, 0.0), SHORTEST);
                assert!(pause(failures, Retry::Soon, left, 0.999_999) <= LONGEST);
            }
        }
        let hour = Some(Duration::from_secs(3_600));
        assert!(pause(1, Retry::Soon, hour, 0.999) < Duration::from_secs(1));
        assert!(pause(9, Retry::Soon, hour, 0.9) > Duration::from_secs(50));
        assert!(pause(u32::MAX, Retry::Soon, None, 0.999) <= LONGEST_WITHOUT);
    }

    #[test]
    fn a_short_life_is_tried_often() {
        let left = Duration::from_secs(8);
        assert!(pause(20, Retry::Soon, Some(left), 0.999_999) <= left / 4);
    }

    #[test]
    fn the_other_side_is_heard_within_reason() {
        let after = |seconds| pause(1, Retry::After(Duration::from_secs(seconds)), None, 0.5);
        assert_eq!(after(7), Duration::from_secs(7));
        assert_eq!(after(1_000_000_000), SELDOM);
        assert!(after(0) >= SHORTEST);
    }

    #[test]
    fn what_cannot_help_is_tried_once_a_minute_at_most() {
        for chance in [0.0, 0.5, 0.999] {
            for left in [None, Some(Duration::from_secs(3_600))] {
                let pause = pause(1, Retry::WhenChanged, left, chance);
                assert!(pause >= Duration::from_secs(45) && pause <= SELDOM);
            }
            let left = Duration::from_secs(20);
            assert!(pause(1, Retry::WhenChanged, Some(left), chance) <= left / 4, "before it ends");
        }
    }
}
