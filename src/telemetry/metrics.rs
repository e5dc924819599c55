//! The counters behind `/metrics`. A request finds its own ones beforehand and only adds; scrapes do the rest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::histogram::{Histogram, Reading};
use super::labels::{ConnectionLimit, Counted, Labels, ReloadResult, Service, UpstreamStatus};
use super::tokens::TokenMetrics;
use crate::audit::Audit;
use crate::base::Striped;
use crate::identity::Issuer;
use crate::outbound::KeySetMonitor;
use crate::token::Slot;

/// Everything that is counted. One for the process; the parts below outlive a reload.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(super) labels: Labels,
    pub(super) streams: Striped<AtomicI64>,
    pub(super) waiting: AtomicI64,
    /// By the number of [`ConnectionLimit`].
    pub(super) connections_refused: [AtomicU64; 2],
    pub(super) panics: Arc<AtomicU64>,
    pub(super) generation: AtomicU64,
    pub(super) applied: AtomicU64,
    pub(super) rejected: AtomicU64,
    /// By service, then by position in [`Labels::protocol_errors`], one more for the rest.
    pub(super) protocol_errors: [Box<[AtomicU64]>; 2],
    pub(super) shared: Mutex<Shared>,
}

/// What only the background and scrapes touch.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) requests: BTreeMap<(Service, String), Arc<RequestMetrics>>,
    pub(super) tokens: BTreeMap<Arc<str>, Arc<TokenMetrics>>,
    /// The credentials of the configuration that serves.
    pub(super) slots: Vec<(Arc<str>, Slot)>,
    pub(super) audit: Option<Arc<Audit>>,
    pub(super) issuers: Vec<Arc<Issuer>>,
    pub(super) key_sets: Option<KeySetMonitor>,
    /// Totals of issuers and key sets from before the last reload.
    pub(super) past: BTreeMap<Arc<str>, IssuerCounts>,
}

/// Counts of one issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IssuerCounts {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) cached: u64,
    pub(super) refreshed: u64,
    pub(super) failed: u64,
}

/// The counters of one provider on one service. Adding takes no lock, no memory, and no cache line of another core's.
#[derive(Debug)]
pub struct RequestMetrics {
    pub(super) often: Striped<Often>,
    /// By position in [`Labels::codes`], one more for the rest.
    pub(super) challenged: Box<[AtomicU64]>,
    pub(super) refused: Box<[AtomicU64]>,
}

/// What is counted of nearly every request.
#[derive(Debug)]
pub(super) struct Often {
    pub(super) permit: AtomicU64,
    pub(super) verified: AtomicU64,
    pub(super) pass: AtomicU64,
    pub(super) duration: Histogram,
}

/// Counts as one waiting request until it is dropped.
#[derive(Debug)]
pub struct ActiveWait(Arc<Metrics>);

impl Metrics {
    /// No counts yet.
    #[must_use]
    pub fn new(labels: Labels) -> Self {
        let protocol_errors = [counters(labels.protocol_errors), counters(labels.protocol_errors)];
        Self { labels, protocol_errors, ..Self::default() }
    }

    /// The counters of `provider` (empty: no provider was found). Look them up once a snapshot, not once a request.
    #[must_use]
    pub fn for_provider(&self, service: Service, provider: &str) -> Arc<RequestMetrics> {
        let mut shared = self.shared();
        let made = || Arc::new(RequestMetrics::new(self.labels.codes));
        Arc::clone(shared.requests.entry((service, provider.to_owned())).or_insert_with(made))
    }

    /// One stream more.
    pub fn stream_began(&self) {
        self.streams.mine().fetch_add(1, Ordering::Relaxed);
    }

    /// One stream less, on whichever thread it began.
    pub fn stream_ended(&self) {
        self.streams.mine().fetch_sub(1, Ordering::Relaxed);
    }

    /// The streams that there are.
    #[must_use]
    pub fn streams(&self) -> usize {
        let sum = self.streams.all().map(|streams| streams.load(Ordering::Relaxed)).sum::<i64>();
        // One that ended on another thread may be counted before the one that it began on.
        usize::try_from(sum).unwrap_or(0)
    }

    /// One more request that waits, until the wait is over.
    #[must_use]
    pub fn wait(self: &Arc<Self>) -> ActiveWait {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        ActiveWait(Arc::clone(self))
    }

    /// A connection was closed because there are as many as `limit` allows.
    pub fn connection_refused(&self, limit: ConnectionLimit) {
        add(&self.connections_refused, limit as usize);
    }

    /// A peer broke the protocol. `kind` is a position in [`Labels::protocol_errors`].
    pub fn protocol_error(&self, service: Service, kind: usize) {
        let [ext_proc, ext_authz] = &self.protocol_errors;
        let counters = match service {
            Service::ExtProc => ext_proc,
            Service::ExtAuthz => ext_authz,
        };
        add(counters, kind);
    }

    /// The count of panics, for [`super::install_panic_hook`].
    #[must_use]
    pub fn panics(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.panics)
    }

    /// The server starts with this configuration.
    pub fn config_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// A configuration was read. `generation` is the one that serves now.
    pub fn config_reload(&self, result: ReloadResult, generation: u64) {
        match result {
            ReloadResult::Applied => add_to(&self.applied),
            ReloadResult::Rejected => add_to(&self.rejected),
        }
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// The counters of `provider`'s credential. Look them up once a credential, not once a request.
    #[must_use]
    pub fn for_token(&self, provider: &str) -> Arc<TokenMetrics> {
        let mut shared = self.shared();
        if let Some(counts) = shared.tokens.get(provider) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(TokenMetrics::new());
        shared.tokens.insert(Arc::from(provider), Arc::clone(&counts));
        counts
    }

    /// The provider refused its credential with `status` (401, 403).
    pub fn upstream_rejection(&self, provider: &str, status: impl Into<UpstreamStatus>) {
        self.for_token(provider).rejected(status.into());
    }

    /// Shows the ends of these credentials from now on, by provider. Counters of providers that are gone stay: they must not
    /// fall.
    pub fn watch_tokens(&self, slots: Vec<(Arc<str>, Slot)>) {
        self.shared().slots = slots;
    }

    /// Shows the audit's counters.
    pub fn watch_audit(&self, audit: Arc<Audit>) {
        self.shared().audit = Some(audit);
    }

    /// Shows these issuers from now on. The totals of the ones before stay in the counters.
    pub fn watch_issuers(&self, issuers: &[Arc<Issuer>], key_sets: KeySetMonitor) {
        let mut shared = self.shared();
        shared.past = shared.by_issuer();
        shared.issuers = issuers.to_vec();
        shared.key_sets = Some(key_sets);
    }

    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Totals up to now.
    pub(super) fn by_issuer(&self) -> BTreeMap<Arc<str>, IssuerCounts> {
        let mut all = self.past.clone();
        for issuer in &self.issuers {
            let counts = all.entry(Arc::clone(&issuer.settings.issuer)).or_default();
            counts.accepted += issuer.tally.accepted.load(Ordering::Relaxed);
            counts.refused += issuer.tally.refused.load(Ordering::Relaxed);
            counts.cached +=
                issuer.tally.cached.all().map(|cached| cached.load(Ordering::Relaxed)).sum::<u64>();
        }
        for status in self.key_sets.iter().flat_map(KeySetMonitor::status) {
            let counts = all.entry(status.issuer).or_default();
            counts.refreshed += status.refreshed;
            counts.failed += status.failed;
        }
        all
    }
}

impl RequestMetrics {
    fn new(codes: &[&str]) -> Self {
        Self { often: Striped::default(), challenged: counters(codes), refused: counters(codes) }
    }

    pub(super) fn duration(&self) -> Reading {
        let none = Histogram::of_decisions().read();
        self.often.all().map(|often| often.duration.read()).fold(none, |sum, one| sum.plus(&one))
    }

    /// One of what is counted often, over all workers.
    pub(super) fn total(&self, counter: impl Fn(&Often) -> &AtomicU64) -> u64 {
        self.often.all().map(|often| counter(often).load(Ordering::Relaxed)).sum()
    }

    /// One request more: what became of it, and how long the decision took.
    pub fn count(&self, what: Counted, took: Duration) {
        let often = self.often.mine();
        match what {
            Counted::Permit => add_to(&often.permit),
            Counted::Verified => add_to(&often.verified),
            Counted::Pass => add_to(&often.pass),
            Counted::Challenged(code) => add(&self.challenged, code),
            Counted::Refused(code) => add(&self.refused, code),
        }
        often.duration.observe(took);
    }
}

impl Default for Often {
    fn default() -> Self {
        Self {
            permit: AtomicU64::default(),
            verified: AtomicU64::default(),
            pass: AtomicU64::default(),
            duration: Histogram::of_decisions(),
        }
    }
}

impl Drop for ActiveWait {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One counter a label and one for what is none of them.
fn counters(labels: &[&str]) -> Box<[AtomicU64]> {
    (0..=labels.len()).map(|_| AtomicU64::default()).collect()
}

fn add(counters: &[AtomicU64], index: usize) {
    if let Some(counter) = counters.get(index).or(counters.last()) {
        add_to(counter);
    }
}

fn add_to(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
