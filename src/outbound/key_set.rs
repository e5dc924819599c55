//! Keeps the issuers' key sets fresh in the background: discovery, JWKS, backoff, and a brake for unknown kids.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::discovery::key_set;
use super::schedule::{chance, wait};
use super::{Http, OutboundError};
use crate::identity::{Callers, Issuer, IssuerSettings, KeySet};

/// Unknown kids cause no more than one fetch of an issuer's keys in this time.
const BRAKE: Duration = Duration::from_secs(30);

/// Asks for a refresh of one issuer's keys and lets a request wait for it.
#[derive(Clone, Debug)]
pub struct KeySetRefresher {
    monitor: KeySetMonitor,
    _tasks: Arc<Tasks>,
}

/// Shows how the issuers' keys are, for `/readyz` and `/metrics`. Keeps no task alive.
#[derive(Clone, Debug, Default)]
pub struct KeySetMonitor(Arc<[Arc<Refresh>]>);

/// How one issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerStatus {
    /// As configured.
    pub issuer: Arc<str>,
    /// Whether there is a set to verify tokens with, be it an old one.
    pub has_keys: bool,
    /// Why the last fetch failed; none when it succeeded or none has ended yet.
    pub last_error: Option<OutboundError>,
    /// Fetches that put a set in place.
    pub refreshed: u64,
    /// Fetches that did not.
    pub failed: u64,
}

/// One issuer's refresh, shared by its task and the requests that wait.
struct Refresh {
    issuer: Arc<Issuer>,
    gate: Mutex<Gate>,
    asked: Notify,
    rounds: watch::Sender<Round>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    /// A fetch runs or is about to.
    in_flight: bool,
    /// When an unknown kid last caused a fetch.
    asked_at: Option<Instant>,
}

/// What became of the fetches so far.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    refreshed: u64,
    failed: u64,
    last_error: Option<OutboundError>,
}

/// Ends the tasks with the last handle.
#[derive(Debug)]
struct Tasks(Vec<AbortHandle>);

type Fetching = Pin<Box<dyn Future<Output = Result<KeySet, OutboundError>> + Send>>;

/// How a key set is fetched: over HTTP, or by a test.
pub(super) type Fetch = Arc<dyn Fn(IssuerSettings) -> Fetching + Send + Sync>;

/// Starts one task an issuer on the current runtime; they end when the last clone of the returned handle is dropped.
#[must_use]
pub fn spawn_key_sets(callers: Arc<Callers>, http: Http) -> KeySetRefresher {
    let fetch: Fetch = Arc::new(move |settings| {
        let http = http.clone();
        Box::pin(async move { key_set(&http, &settings).await })
    });
    spawn(callers.issuers(), &fetch)
}

pub(super) fn spawn(issuers: &[Arc<Issuer>], fetch: &Fetch) -> KeySetRefresher {
    let all: Arc<[_]> = issuers.iter().map(|issuer| Arc::new(Refresh::new(Arc::clone(issuer)))).collect();
    let start = |refresh: &Arc<Refresh>| tokio::spawn(keep(Arc::clone(refresh), Arc::clone(fetch)));
    let tasks = all.iter().map(|refresh| start(refresh).abort_handle()).collect();
    KeySetRefresher { monitor: KeySetMonitor(all), _tasks: Arc::new(Tasks(tasks)) }
}

impl KeySetRefresher {
    /// Asks for a refresh because a token names a key that is not there. A fetch that is already under way is joined.
    /// Resolves to whether it put a set in place; at once to `false` when unknown kids caused a fetch less than 30 s
    /// ago. Never longer than two deadlines of [`Http`]; may be dropped any time.
    pub async fn refreshed(&self, issuer: usize) -> bool {
        match self.monitor.0.get(issuer) {
            Some(refresh) => refresh.ask().await,
            None => false,
        }
    }

    /// The view of these key sets for others to keep.
    #[must_use]
    pub fn monitor(&self) -> KeySetMonitor {
        self.monitor.clone()
    }

    /// How every issuer's keys are, in the order of `callers.jwt`.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.monitor.status()
    }
}

impl KeySetMonitor {
    /// How every issuer's keys are, in the order of `callers.jwt`.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.0.iter().map(|refresh| refresh.status()).collect()
    }
}

impl Refresh {
    fn new(issuer: Arc<Issuer>) -> Self {
        // In flight from the start: the task begins with a fetch, and the first requests are to wait for it.
        let gate = Mutex::new(Gate { in_flight: true, asked_at: None });
        Self { issuer, gate, asked: Notify::new(), rounds: watch::Sender::new(Round::default()) }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self) -> bool {
        let (mut rounds, before) = {
            let mut gate = self.gate();
            if !gate.in_flight {
                let now = Instant::now();
                if gate.asked_at.is_some_and(|at| now.saturating_duration_since(at) < BRAKE) {
                    return false;
                }
                *gate = Gate { in_flight: true, asked_at: Some(now) };
                self.asked.notify_one();
            }
            // Under the lock: the round that is waited for cannot end before this looks.
            let rounds = self.rounds.subscribe();
            let before = rounds.borrow().refreshed;
            (rounds, before)
        };
        match rounds.changed().await {
            Ok(()) => rounds.borrow().refreshed > before,
            Err(_) => false,
        }
    }

    /// Ends a round: the new set is in place before anybody is woken.
    fn end(&self, result: Result<KeySet, OutboundError>) {
        let mut round = *self.rounds.borrow();
        round.last_error = result.as_ref().err().copied();
        match result {
            Ok(keys) => {
                self.issuer.keys.store(Some(Arc::new(keys)));
                round.refreshed += 1;
            }
            Err(error) => {
                round.failed += 1;
                let issuer = &*self.issuer.settings.issuer;
                let kept = self.issuer.keys.load().is_some();
                tracing::warn!(issuer, %error, kept, "key set not refreshed");
            }
        }
        let mut gate = self.gate();
        gate.in_flight = false;
        self.rounds.send_replace(round);
    }

    fn status(&self) -> IssuerStatus {
        let Round { refreshed, failed, last_error } = *self.rounds.borrow();
        let has_keys = self.issuer.keys.load().is_some();
        IssuerStatus {
            issuer: Arc::clone(&self.issuer.settings.issuer),
            has_keys,
            last_error,
            refreshed,
            failed,
        }
    }
}

/// One issuer's task: fetches for ever, on time or when asked.
async fn keep(refresh: Arc<Refresh>, fetch: Fetch) {
    let mut failures = 0u32;
    loop {
        refresh.gate().in_flight = true;
        let result = guarded(fetch(refresh.issuer.settings.clone())).await;
        failures = if result.is_ok() { 0 } else { failures.saturating_add(1) };
        refresh.end(result);
        let next = Instant::now() + wait(failures, chance());
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                () = refresh.asked.notified() => {
                    // The bell may still ring of a round that the clock began at the same moment.
                    if refresh.gate().in_flight {
                        break;
                    }
                }
            }
        }
    }
}

/// A fetch that panics is a fetch that failed. It ends with the task that waits for it.
async fn guarded(fetching: Fetching) -> Result<KeySet, OutboundError> {
    let mut task = JoinSet::new();
    task.spawn(fetching);
    match task.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(_)) | None => Err(OutboundError::Broken),
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refresh").field(&self.issuer.settings.issuer).finish()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
