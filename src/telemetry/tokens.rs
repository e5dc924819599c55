//! The counters of one provider's credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::Histogram;
use super::labels::{RefreshResult, UpstreamStatus};
use crate::cache::Reason;
use crate::token::Tally;

/// What became of one provider's credential. Adding takes no lock and no memory.
#[derive(Debug)]
pub struct TokenMetrics {
    /// By [`Reason::ALL`], then by [`RefreshResult::ALL`].
    refreshes: [[AtomicU64; RefreshResult::ALL.len()]; Reason::ALL.len()],
    pub(super) duration: Histogram,
    /// By [`UpstreamStatus::ALL`].
    rejections: [AtomicU64; UpstreamStatus::ALL.len()],
    tally: Arc<Tally>,
}

impl TokenMetrics {
    pub(super) fn new() -> Self {
        Self {
            refreshes: Default::default(),
            duration: Histogram::of_exchanges(),
            rejections: Default::default(),
            tally: Arc::default(),
        }
    }

    /// The credential was read or fetched anew.
    pub fn refreshed(&self, reason: Reason, result: RefreshResult) {
        let place = Reason::ALL.iter().position(|one| *one == reason);
        if let Some(count) = place.and_then(|place| self.refreshes.get(place)?.get(result as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How long an exchange took, whatever it brought.
    pub fn took(&self, took: Duration) {
        self.duration.observe(took);
    }

    /// The provider refused the credential.
    pub(super) fn rejected(&self, status: UpstreamStatus) {
        if let Some(count) = self.rejections.get(status as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters that requests add to.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The refreshes that there were.
    pub(super) fn refreshes(&self) -> impl Iterator<Item = (Reason, RefreshResult, u64)> {
        let counts = Reason::ALL.into_iter().zip(&self.refreshes).flat_map(|(reason, counts)| {
            let counts = RefreshResult::ALL.into_iter().zip(counts);
            counts.map(move |(result, count)| (reason, result, count.load(Ordering::Relaxed)))
        });
        counts.filter(|(.., count)| *count > 0)
    }

    /// The rejections that there were.
    pub(super) fn rejections(&self) -> impl Iterator<Item = (UpstreamStatus, u64)> {
        let counts = UpstreamStatus::ALL.into_iter().zip(&self.rejections);
        counts.map(|(status, count)| (status, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }
}
