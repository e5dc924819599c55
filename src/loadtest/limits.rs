//! What a run must reach, for whoever lets a pipeline depend on it.

use std::fmt;
use std::time::Duration;

use super::latency::LONGEST;
use super::summary::{Latency, Summary};
use super::units;

/// What is allowed; None: anything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The 99th percentile of the latency at the most.
    pub max_p99: Option<Duration>,
    /// Right answers a second at least.
    pub min_rate: Option<f64>,
    /// Requests that may go wrong.
    pub max_errors: Option<u64>,
}

/// A limit that was missed: what was measured, and what was allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Missed {
    /// Where nothing was asked nothing was kept either.
    NoRequests,
    /// The 99th percentile.
    MaxP99 {
        /// None: there was no answer whose latency counts.
        measured: Option<Duration>,
        /// At the most.
        allowed: Duration,
    },
    /// Right answers a second.
    MinRate {
        /// What was reached.
        measured: f64,
        /// At least.
        allowed: f64,
    },
    /// Requests that went wrong.
    MaxErrors {
        /// How many did.
        measured: u64,
        /// At the most.
        allowed: u64,
    },
}

impl Limits {
    /// Those that `summary` misses, none if it keeps them all.
    #[must_use]
    pub fn missed(&self, summary: &Summary) -> Vec<Missed> {
        if *self == Self::default() {
            return Vec::new();
        }
        if summary.requests == 0 {
            return vec![Missed::NoRequests];
        }
        let p99 = self.max_p99.and_then(|allowed| too_slow(summary.latency.as_ref(), allowed));
        let rate =
            self.min_rate.filter(|allowed| summary.rate.partial_cmp(allowed).is_none_or(|it| it.is_lt()));
        let errors = self.max_errors.filter(|allowed| summary.wrong() > *allowed);
        p99.into_iter()
            .chain(rate.map(|allowed| Missed::MinRate { measured: summary.rate, allowed }))
            .chain(errors.map(|allowed| Missed::MaxErrors { measured: summary.wrong(), allowed }))
            .collect()
    }
}

impl Missed {
    /// The option that set it, as the JSON report names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoRequests => "no_requests",
            Self::MaxP99 { .. } => "max_p99",
            Self::MinRate { .. } => "min_rate",
            Self::MaxErrors { .. } => "max_errors",
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoRequests => f.write_str("no request was made: nothing was measured"),
            Self::MaxP99 { measured: None, allowed } => {
                write!(f, "p99 is unknown, for there was no right answer; {} allowed", units::time(allowed))
            }
            Self::MaxP99 { measured: Some(measured), allowed } => {
                write!(f, "p99 was {}, {} allowed", units::time(measured), units::time(allowed))
            }
            Self::MinRate { measured, allowed } => {
                write!(
                    f,
                    "{}/s right answers, at least {}/s asked for",
                    units::rate(measured),
                    units::rate(allowed)
                )
            }
            Self::MaxErrors { measured, allowed } => {
                write!(f, "{}, {} allowed", units::number(measured, "error"), units::count(allowed))
            }
        }
    }
}

/// A percentile of a minute and more is as long as it may be.
fn too_slow(latency: Option<&Latency>, allowed: Duration) -> Option<Missed> {
    let Some(latency) = latency else {
        return Some(Missed::MaxP99 { measured: None, allowed });
    };
    let measured = Duration::from_micros(latency.p99);
    let unknown = latency.p99 >= LONGEST && latency.clamped > 0;
    (measured > allowed || unknown).then_some(Missed::MaxP99 { measured: Some(measured), allowed })
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
