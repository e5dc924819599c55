//! How far the clocks of the hosts that requests are signed for are from ours (PROVIDERS section 3.8).
//!
//! As the SDKs do it (`aws-runtime`), with three differences. Each host has its own, so that one that lies shifts nobody else;
//! and each entry its own of it, as the name of a host may be the caller's word, and who answers is the entry's.
//! An answer that took long says little of the clock: a model may think for minutes, and half of that is no error of the clock.
//! And the clock is the reason of a refusal only where it was wrong in that signature: where the host's time had been signed
//! already, a refusal has another reason, however far the two clocks are from each other.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use quick_cache::sync::Cache;

use super::Signed;
use crate::base::{Now, UnixTime};

/// The differences, by entry and host. One for the process; bounded.
pub struct ClockSkews {
    /// By how many seconds a host is ahead, of hosts that are.
    ahead: Cache<Box<str>, i64>,
    /// Whether there ever was one, so that nothing is looked up where all clocks agree.
    any: AtomicBool,
}

/// What an answer says of its host's clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading<'a> {
    /// What was signed.
    pub signed: &'a Signed,
    /// When the answer's headers came.
    pub received: Now,
    /// `date`.
    pub date: Option<&'a [u8]>,
    /// Whether there is an `age`: then a cache answered, and its date is an old one.
    pub aged: bool,
    /// Whether the answer has an error that a wrong clock can be the reason of.
    pub refused: bool,
}

/// What comes of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// The clock was the reason, and the next signature is made with the host's.
    Corrected {
        /// By how many seconds the host is ahead.
        ahead: i64,
    },
    /// The clock is not the reason.
    Fine,
}

/// Hosts that are remembered; others take the place of those that are not asked for.
const HOSTS: usize = 1_024;
/// No name of a host is longer, its port included.
const LONGEST_HOST: usize = 261;
/// A signature that is off by less is not refused for it: AWS takes five minutes.
const REASON: i64 = 4 * 60;
/// An answer that took longer says nothing.
const TRUSTED: Duration = Duration::from_secs(15 * 60);
/// Of an answer that was as quick as this, the middle is taken; half of it is no error that matters.
const QUICK: Duration = Duration::from_secs(60);
/// No clock is off by more; a host that says so lies.
const FURTHEST: i64 = 24 * 60 * 60;

impl ClockSkews {
    /// The time at `host`, as `entry` knows it.
    #[must_use]
    pub fn time_at(&self, entry: &str, host: &str, now: UnixTime) -> UnixTime {
        if !self.any.load(Ordering::Relaxed) {
            return now;
        }
        UnixTime(now.0.saturating_add_signed(self.ahead(&place(entry, host))))
    }

    /// Takes a reading.
    pub fn observe(&self, reading: &ClockReading<'_>) -> ClockVerdict {
        let place = place(&reading.signed.entry, &reading.signed.host);
        let Some(ahead) = self.measured(&place, reading) else { return ClockVerdict::Fine };
        self.keep(&place, ahead);
        let used = seconds(reading.signed.time.0) - seconds(reading.signed.at.unix.0);
        if reading.refused && (ahead - used).abs() >= REASON {
            ClockVerdict::Corrected { ahead }
        } else {
            ClockVerdict::Fine
        }
    }

    fn measured(&self, place: &str, reading: &ClockReading<'_>) -> Option<i64> {
        let (sent, received) = (reading.signed.at, reading.received);
        let took = received.instant.saturating_duration_since(sent.instant);
        if reading.aged || took > TRUSTED || reading.signed.host.len() > LONGEST_HOST {
            return None;
        }
        let date = written(reading.date?)?;
        let ahead = match nearest(date, sent, received) {
            Some(ahead) => ahead,
            // Somewhere in between the date was written: what is known stays where it agrees with that.
            None => {
                let end = seconds(received.unix.0);
                self.ahead(place).clamp(date - end, date - end + seconds(took.as_secs()))
            }
        };
        Some(ahead.clamp(-FURTHEST, FURTHEST))
    }

    fn ahead(&self, place: &str) -> i64 {
        self.ahead.get(place).unwrap_or(0)
    }

    fn keep(&self, place: &str, ahead: i64) {
        if ahead == 0 {
            self.ahead.remove(place);
        } else if self.ahead(place) != ahead {
            self.ahead.insert(place.into(), ahead);
            self.any.store(true, Ordering::Relaxed);
        }
    }
}

impl Default for ClockSkews {
    fn default() -> Self {
        Self { ahead: Cache::new(HOSTS), any: AtomicBool::new(false) }
    }
}

impl fmt::Debug for ClockSkews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockSkews").field("hosts", &self.ahead.len()).finish_non_exhaustive()
    }
}

/// By how many seconds the clock of who answered is ahead of ours, where that is so much that it can be the reason of a refusal,
/// and not so much that nobody would believe it. `date` is that of the answer.
#[must_use]
pub fn wrong_clock(date: &[u8], sent: Now, received: Now) -> Option<i64> {
    nearest(written(date)?, sent, received).filter(|ahead| (REASON..=FURTHEST).contains(&ahead.abs()))
}

/// When an answer was written, by its own clock.
fn written(date: &[u8]) -> Option<i64> {
    let date = httpdate::parse_http_date(str::from_utf8(date).ok()?).ok()?;
    Some(seconds(date.duration_since(UNIX_EPOCH).ok()?.as_secs()))
}

/// How far ahead is the clock by which a quick answer was written at `date`, as if that was in the middle of its way. Both ends by
/// our clock as it is now, which the difference will be used with, also where it was set in between.
fn nearest(date: i64, sent: Now, received: Now) -> Option<i64> {
    let took = received.instant.saturating_duration_since(sent.instant);
    if took > QUICK {
        return None;
    }
    let middle = seconds(received.unix.0) * 1_000 - i64::try_from(took.as_millis() / 2).ok()?;
    // To the nearest second; the figures of `date` are whole ones.
    Some((date * 1_000 - middle + 500).div_euclid(1_000))
}

/// The entry, and the host in one spelling.
fn place(entry: &str, host: &str) -> String {
    format!("{entry}\0{}", host.to_ascii_lowercase())
}

/// Far beyond the year 9999, so that sums of it stay what they are.
fn seconds(of: u64) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX).min(1 << 40)
}

#[cfg(test)]
#[path = "clocks_tests.rs"]
mod tests;
