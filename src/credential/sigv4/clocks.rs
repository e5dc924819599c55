//! How far the clocks of the hosts that requests are signed for are from ours (PROVIDERS section 3.8).

use std::time::Duration;

use crate::base::{Now, UnixTime};

/// The differences, by host. One for the process; bounded.
#[derive(Debug, Default)]
pub struct ClockSkews {}

/// What an answer says of its host's clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading<'a> {
    /// The host that was signed.
    pub host: &'a str,
    /// When the request was signed.
    pub sent: Now,
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

impl ClockSkews {
    /// The time at `host`.
    #[must_use]
    pub fn time_at(&self, host: &str, now: UnixTime) -> UnixTime {
        let _ = host;
        now
    }

    /// Takes a reading.
    pub fn observe(&self, reading: &ClockReading<'_>) -> ClockVerdict {
        let _ = (reading, Duration::ZERO);
        ClockVerdict::Fine
    }
}
