//! A value in use: requests take it without a lock and without a wait, the background side swaps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::base::{Expiry, Fingerprint, Now};

/// One value, and the one before it.
#[derive(Debug)]
pub struct Handle<V> {
    held: ArcSwapOption<Held<V>>,
    /// The name of what was replaced last, which may still be on its way through a proxy. Zero: nothing was.
    previous: AtomicU64,
    /// What the last one before it that had another mark showed.
    previous_mark: ArcSwapOption<Box<str>>,
    /// Whether anybody took the value since it came.
    used: AtomicBool,
}

/// What of a value stands in the open where it was used, though the value itself does not.
pub trait Marked {
    /// The mark, which is no secret; none where the value itself stands there.
    fn mark(&self) -> Option<&str>;
}

/// A value with its end.
#[derive(Debug)]
pub struct Held<V> {
    /// The value.
    pub value: V,
    /// Tells it from the one before and after.
    pub id: Fingerprint,
    /// None for what has no end.
    pub expiry: Option<Expiry>,
    /// Where it comes from; none where nothing says so.
    pub provenance: Option<Arc<Provenance>>,
    /// From when on who asks on demand is to wait for another one, while that can be had.
    aging: Option<Instant>,
    /// The other side does not take it any more, or so it seems.
    rejected: AtomicBool,
    /// Its renewal fell due while nobody used it.
    dormant: AtomicBool,
}

/// Where a value comes from and what it is good for, as its source says it: for records. One after another of the same
/// kind share it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The source's name.
    pub source: &'static str,
    /// What the value is good for.
    pub scopes: Box<[Box<str>]>,
    /// The role that the value is of, where it is one's.
    pub role: Option<Box<str>>,
}

/// Why there is nothing to take right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// There never was a value.
    Never,
    /// The last one has ended.
    Expired,
    /// There is one, but another one is to be had first: it is in its last moments, or was rejected.
    Aging,
}

impl<V> Held<V> {
    /// A value that is taken until its end.
    pub fn new(value: V, id: Fingerprint, expiry: Option<Expiry>) -> Self {
        Self {
            value,
            id,
            expiry,
            provenance: None,
            aging: None,
            rejected: AtomicBool::new(false),
            dormant: AtomicBool::new(false),
        }
    }

    /// The same, and where it comes from.
    pub(super) fn with_provenance(mut self, provenance: Option<Arc<Provenance>>) -> Self {
        self.provenance = provenance;
        self
    }

    /// The same, but in the last `margin` it is only taken where no other can be had.
    #[must_use]
    pub(super) fn aging_before_end(mut self, now: Now, margin: Duration) -> Self {
        self.aging = self.expiry.map(|expiry| now.instant + expiry.left(now).saturating_sub(margin));
        self
    }

    /// Whether its end has come.
    pub fn is_over(&self, now: Now) -> bool {
        self.expiry.is_some_and(|expiry| expiry.is_over(now))
    }

    /// How long it has left; none for what has no end.
    pub fn left(&self, now: Now) -> Option<Duration> {
        self.expiry.map(|expiry| expiry.left(now))
    }

    pub(super) fn reject(&self) {
        self.rejected.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_rejected(&self) -> bool {
        self.rejected.load(Ordering::Relaxed)
    }

    pub(super) fn forgive(&self) {
        self.rejected.store(false, Ordering::Relaxed);
    }

    pub(super) fn sleep(&self) {
        self.dormant.store(true, Ordering::Relaxed);
    }

    /// Whether it slept. It does not any more.
    pub(super) fn wake(&self) -> bool {
        // Read first: a write would take the cache line away from every other core, once a request.
        self.dormant.load(Ordering::Relaxed) && self.dormant.swap(false, Ordering::Relaxed)
    }
}

impl<V: Marked> Handle<V> {
    /// Puts a value in place. The next request takes it.
    pub fn put(&self, held: Held<V>) {
        self.used.store(false, Ordering::Relaxed);
        let held = Arc::new(held);
        let Some(before) = self.held.swap(Some(Arc::clone(&held))) else { return };
        if before.id != held.id {
            self.previous.store(before.id.bits(), Ordering::Relaxed);
        }
        if let Some(mark) = before.value.mark()
            && held.value.mark() != Some(mark)
        {
            self.previous_mark.store(Some(Arc::new(mark.into())));
        }
    }

    /// Whether `mark` is that of the value in place or of the one before it.
    pub fn is_or_was_marked(&self, mark: &str) -> bool {
        self.held.load().as_ref().is_some_and(|held| held.value.mark() == Some(mark))
            || self.previous_mark.load().as_ref().is_some_and(|before| ***before == *mark)
    }
}

impl<V> Handle<V> {
    /// The value in place, whether it may still be taken or not.
    pub fn held(&self) -> Option<Arc<Held<V>>> {
        self.held.load_full()
    }

    /// Takes the value while nothing speaks against it.
    ///
    /// # Errors
    /// [`Availability`]: have it renewed, then take what is there with [`Handle::with_last_good`].
    pub fn with<R>(&self, now: Now, take: impl FnOnce(&Held<V>) -> R) -> Result<R, Availability> {
        let held = self.held.load();
        let held = held.as_deref().ok_or(Availability::Never)?;
        if held.is_over(now) {
            return Err(Availability::Expired);
        }
        if held.aging.is_some_and(|aging| now.instant >= aging) || held.rejected.load(Ordering::Relaxed) {
            return Err(Availability::Aging);
        }
        Ok(self.taken(held, take))
    }

    /// Takes the value as long as it has not ended.
    ///
    /// # Errors
    /// [`Availability::Never`], [`Availability::Expired`].
    pub fn with_last_good<R>(&self, now: Now, take: impl FnOnce(&Held<V>) -> R) -> Result<R, Availability> {
        let held = self.held.load();
        let held = held.as_deref().ok_or(Availability::Never)?;
        if held.is_over(now) {
            return Err(Availability::Expired);
        }
        Ok(self.taken(held, take))
    }

    /// Whether `id` names the value in place or the one before it.
    pub fn is_or_was(&self, id: Fingerprint) -> bool {
        self.previous.load(Ordering::Relaxed) == id.bits()
            || self.held.load().as_ref().is_some_and(|held| held.id == id)
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    fn taken<R>(&self, held: &Held<V>, take: impl FnOnce(&Held<V>) -> R) -> R {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        take(held)
    }
}

impl<V> Default for Handle<V> {
    fn default() -> Self {
        Self {
            held: ArcSwapOption::default(),
            previous: AtomicU64::new(0),
            previous_mark: ArcSwapOption::default(),
            used: AtomicBool::new(false),
        }
    }
}
