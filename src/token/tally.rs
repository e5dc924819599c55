//! What was taken from the store, counted without a lock: a request adds to one counter and goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::Striped;
use crate::cache::Part;

/// How requests came by one provider's credential, each counted once.
#[derive(Debug, Default)]
pub struct Tally {
    /// What nearly every request counts.
    hit: Striped<AtomicU64>,
    stale: AtomicU64,
    miss: AtomicU64,
    shared: AtomicU64,
}

/// How a request came by the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was there.
    Hit,
    /// The last good one was there; another one was wanted and could not be had.
    Stale,
    /// It had to wait for an exchange that was made for it.
    Miss,
    /// It had to wait for an exchange that was under way.
    Shared,
}

impl Tally {
    /// The counts by their names in metrics.
    #[must_use]
    pub fn read(&self) -> [(&'static str, u64); 4] {
        Taken::ALL.map(|taken| (taken.as_str(), self.total(taken)))
    }

    pub(super) fn count(&self, taken: Taken) {
        let counter = match taken {
            Taken::Hit => self.hit.mine(),
            Taken::Stale => &self.stale,
            Taken::Miss => &self.miss,
            Taken::Shared => &self.shared,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn total(&self, taken: Taken) -> u64 {
        match taken {
            Taken::Hit => self.hit.all().map(|hit| hit.load(Ordering::Relaxed)).sum(),
            Taken::Stale => self.stale.load(Ordering::Relaxed),
            Taken::Miss => self.miss.load(Ordering::Relaxed),
            Taken::Shared => self.shared.load(Ordering::Relaxed),
        }
    }
}

impl Taken {
    const ALL: [Self; 4] = [Self::Hit, Self::Stale, Self::Miss, Self::Shared];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Shared => "shared",
        }
    }
}

impl From<Part> for Taken {
    fn from(part: Part) -> Self {
        match part {
            Part::Lead => Self::Miss,
            Part::Follow => Self::Shared,
        }
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
