//! Runs to report on: made up, the same each time.

use std::time::Duration;

use super::host::{Usage, UsageLine};
use super::plan::{Address, Pace, Plan, Protocol, Target, Until};
use super::record::{Outcome, Recorder, Sample};
use super::summary::{Asked, Summary};
use crate::base::UnixTime;

pub(super) const BEGAN: UnixTime = UnixTime(1_767_225_600);

pub(super) fn asked(pace: Pace, until: Duration) -> Asked {
    let address = Address::Tcp("127.0.0.1:9002".to_owned());
    Asked {
        plan: Plan {
            target: Target { address, protocol: Protocol::ExtProc, tls: None },
            pace,
            connections: 4,
            streams: 256,
            threads: 2,
            warm_up: Duration::from_secs(5),
            until: Until::Elapsed(until),
            patience: Duration::from_secs(2),
        },
        callers: 1_000,
        details: vec![("body", "4 KiB, buffered".to_owned())],
    }
}

/// A minute at 2,000 a second that went well.
pub(super) fn calm() -> Summary {
    minute(false)
}

/// The same with a stall of two seconds in the middle, refusals and broken connections.
pub(super) fn troubled() -> Summary {
    minute(true)
}

/// Nothing was answered.
pub(super) fn nothing() -> Summary {
    let asked = asked(Pace::Closed, Duration::from_secs(1));
    Summary::new(asked, BEGAN, Duration::from_secs(1), &Recorder::new(), None)
}

/// Three requests, to be counted by hand.
pub(super) fn three() -> Summary {
    let mut recorder = Recorder::new();
    for (due, took, outcome) in
        [(0, 400, Outcome::Right), (400, 800, Outcome::Right), (500, 10, Outcome::Refused(503))]
    {
        let (due, took) = (Duration::from_millis(due), Duration::from_micros(took));
        recorder.add_with_reason(Sample { due, took, outcome }, "");
    }
    Summary::new(
        asked(Pace::Closed, Duration::from_secs(1)),
        BEGAN,
        Duration::from_secs(1),
        &recorder,
        Some(&usage(1)),
    )
}

/// Readings once a second of a server that uses a twentieth of a core.
pub(super) fn usage(seconds: u32) -> UsageLine {
    let mut line = UsageLine::default();
    for second in 0..=seconds {
        let usage = Usage {
            cpu: Duration::from_secs(10) + Duration::from_millis(50) * second,
            rss_bytes: (28 << 20) + (1 << 20) * u64::from(second.min(3)),
            peak_rss_bytes: 40 << 20,
            threads: 4,
            descriptors: (second > 0).then_some(23),
        };
        line.add(Duration::from_secs(second.into()), usage);
    }
    line
}

fn minute(trouble: bool) -> Summary {
    const RATE: u32 = 2_000;
    let mut recorder = Recorder::new();
    let mut seed = 7_u64;
    for index in 0..60 * RATE {
        // Xorshift: as random as a picture needs.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let part = (seed >> 11) as f64 / (1_u64 << 53) as f64;
        let due = Duration::from_secs(1) * index / RATE;
        // Most lie around 300 µs, and one in a thousand takes ten times that.
        let micros = 180.0 + 130.0 * (-(1.0 - part).ln()).powf(0.6) + 0.8 / (1.0 - part);
        let mut took = Duration::from_secs_f64(micros.min(20_000.0) / 1e6);
        let mut outcome = Outcome::Right;
        if trouble {
            let stall = Duration::from_secs(30)..Duration::from_secs(32);
            if stall.contains(&due) {
                took += stall.end - due;
            }
            if due >= stall.end && due < stall.end + Duration::from_secs(5) && part < 0.02 {
                outcome = Outcome::Refused(503);
            }
            if part > 0.999_5 {
                outcome = Outcome::Status(14);
            }
            if index == 71_000 {
                (took, outcome) = (Duration::from_secs(2), Outcome::TimedOut);
            }
        }
        let reason =
            if outcome == Outcome::Status(14) { "connection reset by <peer> & \"gone\"" } else { "" };
        recorder.add_with_reason(Sample { due, took, outcome }, reason);
    }
    let elapsed = Duration::from_secs(60);
    let asked = asked(Pace::Open { rate: RATE.into() }, elapsed);
    Summary::new(asked, BEGAN, elapsed, &recorder, Some(&usage(60)))
}
