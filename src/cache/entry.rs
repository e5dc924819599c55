//! One value with its source: obtained once for all who ask, renewed before it ends, the last good one kept when that fails.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::backoff::{chance, pause};
use super::exchange::{Exchange, Failure, Observer, Obtained, Outcome, Part, Reason, Setback, Source};
use super::lanes::{Lane, Urgency};
use super::refresher::Due;
use super::single_flight::{Landed, Leader, SingleFlight};
use super::{Availability, Handle, Held, Marked, Policy, RefreshPolicy, Refresher};
use crate::base::{Fingerprint, Now};

/// No exchange takes longer: the next attempt is worth more than this one.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// One credential is renewed for the other side's refusals at most once in this time: callers can provoke them.
const FORCED: Duration = Duration::from_secs(30);

/// What became of a rejection by the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Another value is on its way.
    Renewing,
    /// It was renewed for that reason moments ago: another one would not help.
    TooSoon,
    /// What was rejected is not in use any more.
    NotCurrent,
}

/// One value, how it is renewed, and what became of that so far.
pub struct Entry<V, E> {
    handle: Handle<V>,
    flight: SingleFlight<Outcome<E>>,
    policy: Policy,
    lane: Arc<Lane>,
    refresher: Arc<Refresher>,
    observer: Arc<dyn Observer<V, E>>,
    standing: Mutex<Standing<V, E>>,
    this: Weak<Self>,
}

struct Standing<V, E> {
    source: Arc<dyn Source<V, E>>,
    /// Counts the sources: what an older one brings is not the last word.
    version: u64,
    failures: u32,
    setback: Option<Box<Setback<E>>>,
    forced_at: Option<Instant>,
    /// The deadline that counts; others in the heap were replaced.
    next: Option<Instant>,
    /// Why the next exchange is made, where that is not the policy's own reason.
    reason: Option<Reason>,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// A value that may be taken.
    Any,
    /// Another one than that which is held.
    Another,
}

impl<V, E> Entry<V, E>
where
    V: Marked + Send + Sync + 'static,
    E: Failure,
{
    /// An entry without a value. `origin` is where its exchanges go. A proactive one is obtained at once.
    pub fn new(
        source: Arc<dyn Source<V, E>>,
        policy: Policy,
        origin: &str,
        observer: Arc<dyn Observer<V, E>>,
        refresher: &Arc<Refresher>,
    ) -> Arc<Self> {
        let standing = Standing {
            source,
            version: 0,
            failures: 0,
            setback: None,
            forced_at: None,
            next: None,
            reason: None,
        };
        let entry = Arc::new_cyclic(|this| Self {
            handle: Handle::default(),
            flight: SingleFlight::new(),
            policy,
            lane: refresher.lanes.to(origin),
            refresher: Arc::clone(refresher),
            observer,
            standing: Mutex::new(standing),
            this: Weak::clone(this),
        });
        if policy.refresh == RefreshPolicy::Proactive {
            entry.schedule(&mut entry.standing(), entry.now().instant);
        }
        entry
    }

    /// The value in use.
    pub fn handle(&self) -> &Handle<V> {
        &self.handle
    }

    /// Takes the value while nothing speaks against it, as [`Handle::with`].
    ///
    /// # Errors
    /// [`Availability`]: wait for [`Entry::renewed`], then take [`Handle::with_last_good`].
    pub fn with<R>(&self, now: Now, take: impl FnOnce(&Held<V>) -> R) -> Result<R, Availability> {
        self.handle.with(now, |held| {
            if held.wake() {
                // Its renewal fell due while nobody used it.
                let mut standing = self.standing();
                let at =
                    standing.setback.as_ref().map_or(now.instant, |setback| setback.next.max(now.instant));
                self.schedule(&mut standing, at);
            }
            take(held)
        })
    }

    /// Has another value obtained, once for all who ask meanwhile. May be dropped: the exchange goes on.
    ///
    /// # Errors
    /// [`Setback`]: also at once, while the last failure is fresh.
    pub async fn renewed(&self) -> Outcome<E> {
        self.obtained(Demand::Another, |_part| ()).await
    }

    /// The same for who found nothing to take; a value that came since is as good. `tell` is told of the part in it, before
    /// the wait.
    ///
    /// # Errors
    /// As [`Entry::renewed`].
    pub async fn renewed_telling(&self, tell: impl FnOnce(Part)) -> Outcome<E> {
        self.obtained(Demand::Any, tell).await
    }

    async fn obtained(&self, demand: Demand, tell: impl FnOnce(Part)) -> Outcome<E> {
        if let Some(setback) = self.setback() {
            return Err(setback);
        }
        let (mut follower, leader) = self.flight.join();
        if let Some(leader) = leader {
            // Whoever leads comes after every landing: the exchange that was on its way at the first look brought this.
            if demand == Demand::Any && self.handle.with(self.now(), |_held| ()).is_ok() {
                tell(Part::Follow);
                leader.land(&Ok(()));
                return Ok(());
            }
            tell(Part::Lead);
            self.send(leader);
        } else {
            tell(Part::Follow);
        }
        let mut turns = 0;
        loop {
            match follower.await {
                Landed::With(outcome) => return outcome,
                Landed::YourTurn(leader) => {
                    // An exchange that is dropped twice will be dropped again: the runtime is going down.
                    let next = leader.follow().filter(|_| turns == 0);
                    let Some(next) = next else {
                        return Err(Setback { error: E::broken(), next: self.now().instant });
                    };
                    turns += 1;
                    follower = next;
                    self.send(leader);
                }
            }
        }
    }

    /// The failure that is the answer right now.
    pub fn setback(&self) -> Option<Setback<E>> {
        let now = self.now().instant;
        self.standing().setback.as_deref().filter(|setback| now < setback.next).cloned()
    }

    /// From now on values come from `source`. What is held stays in use until the new source brought one, which it is
    /// asked for at once if there is anything to replace.
    pub fn replace_source(&self, source: Arc<dyn Source<V, E>>) {
        let mut standing = self.standing();
        standing.source = source;
        standing.version += 1;
        standing.failures = 0;
        let tried = standing.setback.take().is_some();
        if tried || self.handle.held().is_some() || self.policy.refresh == RefreshPolicy::Proactive {
            standing.reason = Some(Reason::SecretChanged);
            let now = self.now().instant;
            self.schedule(&mut standing, now);
        }
    }

    /// The other side refused the value `id`: it is replaced, if it is still the one in use.
    pub fn reject(&self, id: Fingerprint) -> Rejection {
        let Some(held) = self.handle.held().filter(|held| held.id == id) else {
            return Rejection::NotCurrent;
        };
        let now = self.now();
        let mut standing = self.standing();
        if standing.forced_at.is_some_and(|at| now.instant.saturating_duration_since(at) < FORCED) {
            // As long as it stands rejected, the other one is on its way.
            return if held.is_rejected() { Rejection::Renewing } else { Rejection::TooSoon };
        }
        standing.forced_at = Some(now.instant);
        standing.reason = Some(Reason::UpstreamRejected);
        held.reject();
        // The pause after a failure stays: callers can provoke refusals, and the source may have said when it is to be asked.
        let next = standing.setback.as_ref().map_or(now.instant, |setback| setback.next.max(now.instant));
        self.schedule(&mut standing, next);
        Rejection::Renewing
    }

    fn now(&self) -> Now {
        self.refresher.clock.now()
    }

    fn standing(&self) -> MutexGuard<'_, Standing<V, E>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, standing: &mut Standing<V, E>, at: Instant) {
        standing.next = Some(at);
        self.refresher.schedule(at, self.this.clone() as Weak<dyn Due>);
    }

    /// Sends an exchange that somebody waits for.
    fn send(&self, leader: Leader<Outcome<E>>) {
        let Some(this) = self.this.upgrade() else { return };
        self.refresher.spawn(async move {
            let _place = this.lane.enter(Urgency::Demanded).await;
            this.exchange(leader, None).await;
        });
    }

    /// One exchange, from asking to telling.
    async fn exchange(&self, leader: Leader<Outcome<E>>, scheduled: Option<Reason>) {
        let _running = self.refresher.running.read().await;
        let (source, version, reason) = {
            let mut standing = self.standing();
            let own = standing.reason.take().or(scheduled);
            let reason = own.unwrap_or_else(|| match self.handle.held() {
                None => Reason::FirstUse,
                Some(_) => Reason::Lazy,
            });
            (Arc::clone(&standing.source), standing.version, reason)
        };
        let began = self.now();
        let result = match tokio::time::timeout(DEADLINE, guarded(source)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(E::timeout()),
        };
        let now = self.now();
        let result = match result {
            Ok(obtained) if obtained.expiry.is_some_and(|expiry| expiry.is_over(now)) => Err(E::over()),
            other => other,
        };
        let took = now.instant.saturating_duration_since(began.instant);
        let before = self.handle.held();
        let exchange = Exchange { reason, took, before: before.as_deref() };
        let outcome = match result {
            Ok(obtained) => self.landed(obtained, &exchange, version, now),
            Err(error) => self.failed(error, &exchange, version, now),
        };
        leader.land(&outcome);
    }

    fn landed(
        &self,
        obtained: Obtained<V>,
        exchange: &Exchange<'_, V>,
        version: u64,
        now: Now,
    ) -> Outcome<E> {
        let Obtained { value, id, expiry, refresh_in, provenance } = obtained;
        let lazy = self.policy.refresh == RefreshPolicy::Lazy;
        let left = expiry.map(|expiry| expiry.left(now));
        let again = exchange.before.is_some_and(|before| before.id == id);
        let mut held = Held::new(value, id, expiry).with_provenance(provenance);
        if lazy && !again {
            held = held.aging_before_end(now, Policy::hard_margin(left.unwrap_or_default()));
        }
        // Before it is in use: no credential is taken that no record speaks of.
        self.observer.renewed(exchange, &held);
        self.handle.put(held);
        let mut standing = self.standing();
        standing.failures = 0;
        standing.setback = None;
        standing.next = None;
        standing.reason = None;
        if standing.version != version {
            standing.reason = Some(Reason::SecretChanged);
            self.schedule(&mut standing, now.instant);
        } else if let Some(left) = left
            && !lazy
        {
            let after = if again {
                Policy::same_again_after(left)
            } else {
                self.policy.renew_after(left, refresh_in, chance())
            };
            self.schedule(&mut standing, now.instant + after);
        }
        Ok(())
    }

    fn failed(&self, error: E, exchange: &Exchange<'_, V>, version: u64, now: Now) -> Outcome<E> {
        let mut standing = self.standing();
        let newer = standing.version != version;
        standing.failures = if newer { 0 } else { standing.failures.saturating_add(1) };
        let left = exchange.before.and_then(|before| before.left(now)).filter(|left| !left.is_zero());
        let wait =
            if newer { Duration::ZERO } else { pause(standing.failures, error.retry(), left, chance()) };
        let setback = Setback { error, next: now.instant + wait };
        // What was rejected may have been good all the same, and there is nothing better.
        if let Some(before) = exchange.before {
            before.forgive();
        }
        self.observer.failed(exchange, &setback.error, standing.failures, wait);
        if newer {
            standing.reason = Some(Reason::SecretChanged);
        } else {
            standing.setback = Some(Box::new(setback.clone()));
        }
        let wanted = left.is_some() || self.policy.refresh == RefreshPolicy::Proactive;
        if newer || wanted && self.policy.refresh != RefreshPolicy::Lazy {
            self.schedule(&mut standing, setback.next);
        }
        Err(setback)
    }
}

impl<V, E> Due for Entry<V, E>
where
    V: Marked + Send + Sync + 'static,
    E: Failure,
{
    fn due(self: Arc<Self>, at: Instant) {
        let reason = {
            let mut standing = self.standing();
            if standing.next != Some(at) {
                return;
            }
            standing.next = None;
            standing.reason
        };
        let proactive = self.policy.refresh == RefreshPolicy::Proactive;
        if reason.is_none() && !proactive && !self.handle.is_used() {
            // The next one who takes it wakes it up.
            if let Some(held) = self.handle.held() {
                held.sleep();
            }
            return;
        }
        let own = if proactive { Reason::Proactive } else { Reason::PreExpiry };
        let urgency = if reason.is_some() { Urgency::Demanded } else { Urgency::Scheduled };
        let refresher = Arc::clone(&self.refresher);
        let before = self.handle.held().map(|held| held.id);
        refresher.spawn(async move {
            // First the place, then the lead: whoever demands meanwhile is not to wait behind the clock's own.
            let _place = self.lane.enter(urgency).await;
            let Some(leader) = self.flight.lead() else { return };
            let came = self.handle.held().is_some_and(|held| Some(held.id) != before);
            if came && self.standing().reason.is_none() {
                // On demand, while this waited for its place; its own renewal has a deadline by now.
                leader.land(&Ok(()));
                return;
            }
            self.exchange(leader, Some(own)).await;
        });
    }
}

/// A source that panics is a source that failed.
async fn guarded<V, E>(source: Arc<dyn Source<V, E>>) -> Result<Obtained<V>, E>
where
    V: Marked + Send + Sync + 'static,
    E: Failure,
{
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move { source.obtain().await });
    match task.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(_)) | None => Err(E::broken()),
    }
}

impl<V: fmt::Debug, E> fmt::Debug for Entry<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("handle", &self.handle)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
