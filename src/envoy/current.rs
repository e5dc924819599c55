//! What both protocols share: the generation that serves, the clock, the deadlines, the counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::budget::Budget;
use super::waiting::{Queue, Waiting, Waits};
use crate::base::{Clock, Fingerprint, Now, Striped};
use crate::config::Limits;
use crate::credential::Signed;
use crate::outbound::KeySetRefresher;
use crate::pipeline::{Code, Outcome, Owner, Patience, Refusal, Snapshot, Wait};
use crate::request::RequestView;
use crate::telemetry::{Counted, Labels, Metrics, RequestMetrics, Service, Throttle};

/// The closed sets of label values that come from here.
#[must_use]
pub fn labels() -> Labels {
    Labels { codes: &Code::NAMES, protocol_errors: &["malformed", "out_of_order"] }
}

/// How a peer broke the protocol; a position in [`labels`]' `protocol_errors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProtocolError {
    /// Bytes that are no message of the schema.
    Malformed,
    /// A message that may not come here.
    OutOfOrder,
}

/// A snapshot with what belongs to it on the background side.
#[derive(Debug)]
pub struct Generation {
    /// What requests are decided with.
    pub snapshot: Snapshot,
    key_sets: KeySetRefresher,
    /// Counters by provider, the last for requests that are nobody's.
    ext_proc: Box<[Arc<RequestMetrics>]>,
    ext_authz: Box<[Arc<RequestMetrics>]>,
}

/// The server's view of the world.
pub struct Current {
    generation: ArcSwap<Generation>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    limits: Limits,
    refusals: Throttle,
    rejections: Throttle,
    missing: Throttle,
    bodies: Budget,
    waiting: Waiting,
    /// Streams and checks without an answer.
    active: Striped<AtomicI64>,
    draining: AtomicBool,
}

impl Generation {
    /// Resolves the counters once, so that a request only adds to them.
    #[must_use]
    pub fn new(snapshot: Snapshot, key_sets: KeySetRefresher, metrics: &Metrics) -> Self {
        let counters = |service| {
            let names = snapshot.catalog.providers().iter().map(|provider| &*provider.name).chain([""]);
            names.map(|name| metrics.for_provider(service, name)).collect()
        };
        Self {
            ext_proc: counters(Service::ExtProc),
            ext_authz: counters(Service::ExtAuthz),
            snapshot,
            key_sets,
        }
    }

    /// The refresher of the issuers' keys.
    #[must_use]
    pub fn key_sets(&self) -> &KeySetRefresher {
        &self.key_sets
    }
}

impl Current {
    /// A server that starts with `generation`.
    #[must_use]
    pub fn new(generation: Generation, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, limits: Limits) -> Self {
        Self {
            generation: ArcSwap::from_pointee(generation),
            clock,
            waiting: Waiting::new(limits.max_waiting, Arc::clone(&metrics)),
            metrics,
            bodies: Budget::new(limits.body_memory),
            active: Striped::default(),
            limits,
            refusals: Throttle::per_second(50),
            rejections: Throttle::per_second(10),
            missing: Throttle::per_second(1),
            draining: AtomicBool::new(false),
        }
    }

    /// The generation that serves now.
    #[must_use]
    pub fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// The same for who needs it for a moment: its count, which all cores share, is left alone.
    pub(super) fn serving(&self) -> arc_swap::Guard<Arc<Generation>> {
        self.generation.load()
    }

    /// Puts the next generation in place. Requests that are being decided keep theirs.
    pub fn replace(&self, generation: Generation) {
        self.generation.store(Arc::new(generation));
    }

    /// The server is going: streams on which only a response is waited for end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is going.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(super) fn protocol_error(&self, service: Service, kind: ProtocolError) {
        self.metrics.protocol_error(service, kind as usize);
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Places of `limits.max_active` that are taken; see [`super::Local`].
    pub(super) fn active(&self) -> &Striped<AtomicI64> {
        &self.active
    }

    /// Room for bodies.
    pub(super) fn bodies(&self) -> &Budget {
        &self.bodies
    }

    /// The time at which a request that came at `since` is decided: the same, unless it waited.
    pub(super) fn at(&self, since: Now, patience: Patience) -> Now {
        match patience {
            Patience::Fresh => since,
            Patience::Keys | Patience::Spent | Patience::Crowded => self.now(),
        }
    }

    /// How long a request that came at `since` may wait yet, for all that it waits for together.
    pub(super) fn patience(&self, since: Now) -> Duration {
        self.limits.patience.saturating_sub(self.now().instant.saturating_duration_since(since.instant))
    }

    /// A place among those that wait, or none: then the request is decided again with [`Patience::Crowded`].
    pub(super) fn waits(&self, generation: &Generation, wait: Wait) -> Option<Waits> {
        self.waiting.enter(Queue::of(wait, generation.snapshot.generation))
    }

    /// The same for one that waits for room.
    pub(super) fn waits_for_room(&self) -> Option<Waits> {
        self.waiting.enter(Queue::Room)
    }

    /// Waits for what a request asked for, not longer than it may.
    pub(super) async fn wait(generation: Arc<Generation>, wait: Wait, patience: Duration, _place: Waits) {
        // Whatever comes of it, the request is decided again with what is there then.
        match wait {
            Wait::KeySet { issuer } => {
                let _refreshed = tokio::time::timeout(patience, generation.key_sets.refreshed(issuer)).await;
            }
            Wait::Credential { provider } => {
                let _renewed =
                    tokio::time::timeout(patience, generation.snapshot.tokens.renewed(provider)).await;
            }
            // Envoy has it; who can ask Envoy does so.
            Wait::Body { .. } => {}
        }
    }

    /// Counts an outcome, and tells the operator of a refusal.
    pub(super) fn record(
        &self,
        service: Service,
        generation: &Generation,
        outcome: &Outcome<'_>,
        told: &Told<'_, '_>,
    ) {
        let (provider, counted) = match outcome {
            Outcome::Attach { provider, .. } => (Some(*provider), Counted::Permit),
            Outcome::Verified { .. } => (None, Counted::Verified),
            Outcome::Pass => (None, Counted::Pass),
            Outcome::Refuse(refusal) => {
                self.tell(generation, refusal, told);
                let code = refusal.cause.code().index();
                let counted = if refusal.step_up.is_some() {
                    Counted::Challenged(code)
                } else {
                    Counted::Refused(code)
                };
                (refusal.provider, counted)
            }
        };
        let counters = match service {
            Service::ExtProc => &generation.ext_proc,
            Service::ExtAuthz => &generation.ext_authz,
        };
        let place = provider.unwrap_or(counters.len().saturating_sub(1));
        if let Some(counters) = counters.get(place) {
            counters.count(counted, self.clock.instant().saturating_duration_since(told.since.instant));
        }
    }

    /// Tells the operator of a refusal of the provider's. Nothing of what it said is told: it may repeat the key.
    pub(super) fn tell_rejection(&self, told: &Rejected<'_>) {
        let Rejected { provider, status, credential, signed, action, request_id } = told;
        let Some(suppressed) = self.rejections.pass(self.now().instant) else { return };
        let request_id = request_id.unwrap_or_default();
        let (host, region, service) = match signed {
            Some(signed) => (Some(&*signed.host), Some(&*signed.region), Some(&*signed.service)),
            None => (None, None, None),
        };
        tracing::warn!(provider, status, %credential, host, region, service, action, request_id, suppressed, "refused by the provider");
    }

    /// Tells the operator of a body that Envoy was asked for and did not send.
    pub(super) fn tell_missing(&self, provider: &str, why: &'static str) {
        let Some(suppressed) = self.missing.pass(self.now().instant) else { return };
        tracing::warn!(provider, suppressed, "{why}");
    }

    /// One line a refusal, but no more than the log can bear: a flood of bad tokens must not become a flood of lines.
    fn tell(&self, generation: &Generation, refusal: &Refusal, told: &Told<'_, '_>) {
        let Some(suppressed) = self.refusals.pass(told.since.instant) else { return };
        let provider = refusal.provider.and_then(|index| generation.snapshot.catalog.providers().get(index));
        let (provider, code) =
            (provider.map_or("", |provider| &*provider.name), refusal.cause.code().as_str());
        let (cause, request_id) = (refusal.cause, told.request_id().unwrap_or_default());
        let (method, path) = told.view.map_or(("", ""), |view| (view.method, view.path_for_the_record()));
        let path: String = path.chars().take(256).collect();
        match cause.owner() {
            Owner::Caller => {
                tracing::info!(code, provider, %cause, method, path, request_id, suppressed, "refused");
            }
            Owner::Operator | Owner::Remote => {
                tracing::warn!(code, provider, %cause, method, path, request_id, suppressed, "refused");
            }
        }
    }
}

/// What a record says of a request.
pub(super) struct Told<'v, 'a> {
    since: Now,
    /// None where the request could not be read.
    view: Option<&'v RequestView<'a>>,
}

/// What a record says of a provider's refusal.
pub(super) struct Rejected<'a> {
    pub(super) provider: &'a str,
    pub(super) status: u16,
    /// Which credential it refused, as records of rotations name it.
    pub(super) credential: Fingerprint,
    /// What was signed, where it was a signature.
    pub(super) signed: Option<&'a Signed>,
    /// What became of it.
    pub(super) action: &'static str,
    pub(super) request_id: Option<&'a str>,
}

impl<'v, 'a> Told<'v, 'a> {
    pub(super) fn nothing(since: Now) -> Self {
        Self { since, view: None }
    }

    pub(super) fn of(view: &'v RequestView<'a>, since: Now) -> Self {
        Self { since, view: Some(view) }
    }

    /// Looked for only where somebody is told of it.
    pub(super) fn request_id(&self) -> Option<&'a str> {
        self.view.and_then(|view| super::refusal::request_id(&view.headers))
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("limits", &self.limits).finish_non_exhaustive()
    }
}
