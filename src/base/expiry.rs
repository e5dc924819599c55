//! When something ends, on both clocks.

use std::time::{Duration, Instant};

use super::{Now, UnixTime};

/// Longer than any token lives, and short enough for every clock to add.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The end of a credential, by the calendar and by the clock that never goes back; the earlier one counts. A calendar that
/// is set back cannot make a token live longer, nor can a machine that slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    unix: UnixTime,
    instant: Instant,
}

impl Expiry {
    /// What lives `ttl` from `start`, as `expires_in` says it. `start` is when it was asked for: the other side began to
    /// count later.
    #[must_use]
    pub fn after(start: Now, ttl: Duration) -> Self {
        let ttl = ttl.min(LONGEST);
        let whole = Duration::from_secs(ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0));
        // The calendar is read in whole seconds, up to one too early: here the exact clock decides, and the calendar only
        // where it was set forward.
        Self { unix: start.unix.plus(whole + Duration::from_secs(1)), instant: start.instant + ttl }
    }

    /// What ends at `end`, as `exp` and RFC 3339 say it. That moment itself is over.
    #[must_use]
    pub fn at(start: Now, end: UnixTime) -> Self {
        Self { unix: end, instant: start.instant + end.since(start.unix).min(LONGEST) }
    }

    /// The earlier of two ends, clock by clock.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self { unix: self.unix.min(other.unix), instant: self.instant.min(other.instant) }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now: Now) -> bool {
        now.unix >= self.unix || now.instant >= self.instant
    }

    /// What is left; zero when it is over.
    #[must_use]
    pub fn left(&self, now: Now) -> Duration {
        if self.is_over(now) {
            return Duration::ZERO;
        }
        self.instant.saturating_duration_since(now.instant).min(self.unix.since(now.unix))
    }

    /// The end as the calendar has it, for people and records.
    #[must_use]
    pub fn unix(&self) -> UnixTime {
        self.unix
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock as _, ManualClock};

    fn on(now: Now, seconds: i64, calendar: i64) -> Now {
        let by = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        Now {
            unix: UnixTime(now.unix.0.checked_add_signed(calendar).unwrap()),
            instant: if seconds < 0 { now.instant - by(seconds) } else { now.instant + by(seconds) },
        }
    }

    #[test]
    fn the_earlier_clock_wins() {
        let start = ManualClock::at(UnixTime(1_000)).now();
        for expiry in [Expiry::after(start, Duration::from_secs(60)), Expiry::at(start, UnixTime(1_060))] {
            assert!(!expiry.is_over(on(start, 59, 59)));
            assert!(expiry.is_over(on(start, 60, 60)));
            assert!(expiry.is_over(on(start, 60, -500)), "the calendar was set back");
            assert!(expiry.is_over(on(start, 1, 61)), "the machine slept");
            assert!(expiry.left(on(start, 30, 30)) <= Duration::from_secs(31));
            assert_eq!(expiry.left(on(start, 61, 61)), Duration::ZERO);
        }
    }

    #[test]
    fn what_lives_for_a_while_is_not_cut_short_by_the_calendar_s_whole_seconds() {
        let start = ManualClock::at(UnixTime(1_000)).now();
        let expiry = Expiry::after(start, Duration::from_secs(5));
        assert!(!expiry.is_over(on(start, 4, 5)), "asked for at the end of a second of the calendar");
    }

    #[test]
    fn no_end_is_too_far() {
        let start = ManualClock::at(UnixTime(1_000)).now();
        assert!(!Expiry::after(start, Duration::MAX).is_over(start));
        assert!(!Expiry::at(start, UnixTime(u64::MAX)).is_over(start));
    }
}
