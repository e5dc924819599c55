//! How the server stands: ready or why not, and what is degraded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::generation::SecretFaults;
use crate::admin::{Readiness, Standing};
use crate::envoy::Current;
use crate::serve::Health;
use crate::token::Slot;

/// How often a server that is not ready yet looks again.
const LOOK: Duration = Duration::from_millis(50);

/// What readiness is made of.
pub(super) struct Watch {
    current: Arc<Current>,
    draining: AtomicBool,
    secrets: Mutex<SecretFaults>,
}

impl Watch {
    pub(super) fn new(current: Arc<Current>, secrets: SecretFaults) -> Self {
        Self { current, draining: AtomicBool::new(false), secrets: Mutex::new(secrets) }
    }

    /// The drain begins.
    pub(super) fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.current.drain();
    }

    /// The secrets were read again.
    pub(super) fn secrets(&self, faults: SecretFaults) {
        *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// The question that the admin page asks.
    pub(super) fn page(self: &Arc<Self>) -> Standing {
        let watch = Arc::clone(self);
        Arc::new(move || watch.readiness())
    }

    /// Ready means: not draining, and every issuer's keys were fetched once. A secret that cannot be used stops its own
    /// provider and not the others, unless there is no other.
    pub(super) fn readiness(&self) -> Readiness {
        let generation = self.current.generation();
        let mut readiness = Readiness::default();
        if self.draining.load(Ordering::Relaxed) {
            readiness.reasons.push("draining".to_owned());
        }
        for issuer in generation.key_sets().status() {
            let error = issuer.last_error.map_or("being fetched".to_owned(), |error| error.to_string());
            if !issuer.has_keys {
                readiness.reasons.push(format!("no keys of issuer {}: {error}", issuer.issuer));
            } else if issuer.last_error.is_some() {
                readiness.degraded.push(format!("keys of issuer {} are old: {error}", issuer.issuer));
            }
        }
        let faults = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.current.now();
        let snapshot = &generation.snapshot;
        let usable = |index| snapshot.tokens.slot(index).is_some_and(|slot| slot.is_usable(now));
        let providers = snapshot.catalog.providers().len();
        if providers > 0 && !(0..providers).any(usable) {
            readiness.reasons.push("no provider has a usable credential".to_owned());
        }
        readiness.degraded.extend(faults);
        for (index, provider) in snapshot.catalog.providers().iter().enumerate() {
            if let Some(error) = snapshot.tokens.slot(index).and_then(Slot::trouble) {
                readiness.degraded.push(format!("provider {}: token not refreshed: {error}", provider.name));
            }
        }
        readiness
    }

    /// Tells gRPC health once the server is ready. It stays SERVING until the drain: an issuer that goes down later
    /// leaves its keys here, and taking every replica out would turn its outage into ours.
    pub(super) async fn announce(self: Arc<Self>, health: Health) {
        loop {
            let readiness = self.readiness();
            if self.draining.load(Ordering::Relaxed) {
                return;
            }
            if readiness.reasons.is_empty() {
                tracing::info!("serving");
                health.serving().await;
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
