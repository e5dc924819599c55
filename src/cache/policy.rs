//! When a value is renewed: the rules, as arithmetic.

use std::time::Duration;

/// Whether a value is renewed before anybody asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RefreshPolicy {
    /// Obtained on the first demand and, while it is used, renewed in the background before it ends.
    #[default]
    PreExpiry,
    /// Obtained at start and kept fresh whether used or not.
    Proactive,
    /// Obtained on demand only.
    Lazy,
}

/// A policy with its margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Who begins.
    pub refresh: RefreshPolicy,
    /// How long before the end a value is renewed.
    pub margin: Duration,
}

/// What `refresh.margin` is where nobody says otherwise.
const MARGIN: Duration = Duration::from_secs(300);

/// A lazy value is not taken in its last moments if another can be had.
const HARD_MARGIN: Duration = Duration::from_secs(30);

/// A source that hands out what it handed out before is not asked again sooner.
const SAME_AGAIN: Duration = Duration::from_secs(5);

impl Default for Policy {
    fn default() -> Self {
        Self { refresh: RefreshPolicy::default(), margin: MARGIN }
    }
}

impl Policy {
    /// How long after it was obtained a value that lives for `ttl` is renewed. `hint` is what the source itself says
    /// (Entra's `refresh_in`); `chance` in 0.0..1.0 spreads those that were obtained together.
    ///
    /// Never sooner than half of `ttl`: a margin longer than the life must not mean a renewal a request
    /// (openai-node#2490, arrow-rs#6625).
    #[must_use]
    pub fn renew_after(&self, ttl: Duration, hint: Option<Duration>, chance: f64) -> Duration {
        let half = ttl / 2;
        let margin = self.margin.mul_f64(0.9 + 0.2 * chance).min(half);
        let own = ttl - margin;
        match hint {
            Some(hint) => hint.clamp(half, own.max(half)),
            None => own,
        }
    }

    /// The same after the source handed out the value that was there already, with `left` to live.
    #[must_use]
    pub fn same_again_after(left: Duration) -> Duration {
        (left / 2).max(SAME_AGAIN.min(left))
    }

    /// In the last moments of a value that lived for `ttl`, who asks on demand waits for another one.
    #[must_use]
    pub fn hard_margin(ttl: Duration) -> Duration {
        HARD_MARGIN.min(ttl / 10)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_margin_renews_more_often_than_twice_a_life(
            ttl in 1u64..10_000_000,
            margin in 0u64..100_000_000,
            hint in proptest::option::of(0u64..20_000_000),
            chance in 0.0f64..1.0,
        ) {
            let (ttl, hint) = (Duration::from_millis(ttl), hint.map(Duration::from_millis));
            let policy = Policy { margin: Duration::from_millis(margin), ..Policy::default() };
            let after = policy.renew_after(ttl, hint, chance);
            prop_assert!(after >= ttl / 2);
            prop_assert!(after <= ttl);
        }

        #[test]
        fn a_value_that_comes_again_and_again_is_asked_for_a_few_times(ttl in 1u64..31_536_000) {
            let mut left = Duration::from_secs(ttl);
            let mut asked = 0;
            while !left.is_zero() {
                left -= Policy::same_again_after(left);
                asked += 1;
            }
            prop_assert!(asked <= 25, "{asked}");
        }
    }

    #[test]
    fn the_margin_is_kept_and_jittered_where_there_is_room() {
        let (policy, hour) = (Policy::default(), Duration::from_secs(3_600));
        assert_eq!(policy.renew_after(hour, None, 0.5), Duration::from_secs(3_300));
        assert_eq!(policy.renew_after(hour, None, 0.0), Duration::from_secs(3_330));
        assert_eq!(
            policy.renew_after(hour, Some(Duration::from_secs(2_000)), 0.5),
            Duration::from_secs(2_000)
        );
        assert_eq!(policy.renew_after(hour, Some(Duration::ZERO), 0.5), hour / 2);
        assert_eq!(policy.renew_after(hour, Some(hour * 2), 0.5), Duration::from_secs(3_300));
    }

    #[test]
    fn the_last_moments_are_half_a_minute_or_a_tenth_of_the_life() {
        assert_eq!(Policy::hard_margin(Duration::from_secs(3_600)), Duration::from_secs(30));
        assert_eq!(Policy::hard_margin(Duration::from_secs(5)), Duration::from_millis(500));
    }
}
