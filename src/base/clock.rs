//! The only room that reads a clock. Everything else is told what time it is.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since the Unix epoch, as JWTs (`NumericDate`, RFC 7519 section 2) and certificates count them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(pub u64);

/// One reading of both clocks: what the calendar says, and a clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Wall clock, for what other parties wrote down (`exp`, `auth_time`).
    pub unix: UnixTime,
    /// Monotonic clock, for our own waits and deadlines.
    pub instant: Instant,
}

/// Where time comes from. One real form and one for tests.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Now;

    /// Reads the clock that never goes back, alone.
    fn instant(&self) -> Instant {
        self.now().instant
    }

    /// The calendar in milliseconds since the Unix epoch, for records that are put in order by it.
    fn unix_millis(&self) -> u64 {
        self.now().unix.0.saturating_mul(1_000)
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<Now>);

impl UnixTime {
    /// This time and `duration` more; stays at the far end instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the room that may")]
    fn now(&self) -> Now {
        // A clock before 1970 reads as 1970: every token is then from the future and is refused. (The kernel's coarse clock would
        // cost a fifth, and be in the second before for some milliseconds, where a token of this second is from the future too.)
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { unix: UnixTime(unix), instant: Instant::now() }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the room that may")]
    fn instant(&self) -> Instant {
        Instant::now()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the room that may")]
    fn unix_millis(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl ManualClock {
    /// A clock that shows `unix`.
    #[must_use]
    pub fn at(unix: UnixTime) -> Self {
        Self(Mutex::new(Now { unix, instant: SystemClock.now().instant }))
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = Now { unix: now.unix.plus(by), instant: now.instant + by };
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
