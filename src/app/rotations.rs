//! Tells the log, the counters and the audit what became of credentials.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::{Audit, Event, Id, RefreshFailed, Rotated, Subject};
use crate::cache::{Exchange, Held, Observer, Reason};
use crate::config::ProviderEntry;
use crate::credential::Credential;
use crate::provider::{AuthType, ProviderKind};
use crate::telemetry::{Metrics, RefreshResult, TokenMetrics};
use crate::token::{Fault, MaterialFault, SecretFault, SourceError, SourceErrorKind};

/// Tells of every provider.
#[derive(Debug)]
pub(super) struct Rotations {
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    providers: Mutex<HashMap<Arc<str>, Arc<OfProvider>>>,
}

/// Tells of one.
#[derive(Debug)]
struct OfProvider {
    name: Arc<str>,
    kind: ProviderKind,
    auth: AuthType,
    /// `audit_on_rotate`, which may change while the credential stays.
    audited: AtomicBool,
    audit: Arc<Audit>,
    counts: Arc<TokenMetrics>,
    renewal: Mutex<Renewal>,
}

/// A renewal that is under way: its failures and the rotation that ends them belong together.
#[derive(Debug, Default)]
struct Renewal {
    correlation: Option<Id>,
    /// What is wrong with the secret, and for how many readings in a row. Told once: a secret is read whenever any changes.
    secret: Option<(SecretFault, u32)>,
}

/// What names an API key in records.
const SECRET: &str = "secret";

impl Rotations {
    pub(super) fn new(metrics: Arc<Metrics>, audit: Arc<Audit>) -> Self {
        Self { metrics, audit, providers: Mutex::default() }
    }

    /// The teller of `entry`'s token.
    pub(super) fn of(&self, entry: &ProviderEntry) -> Arc<dyn Observer<Credential, SourceError>> {
        self.provider(entry)
    }

    /// Takes up what an entry says of its records. To be called with every configuration.
    pub(super) fn meet(&self, entry: &ProviderEntry) {
        self.provider(entry).audited.store(entry.audit_on_rotate, Ordering::Relaxed);
    }

    /// Forgets the entries that are gone.
    pub(super) fn retain(&self, entries: &[ProviderEntry]) {
        // A token that is kept for when its entry comes back keeps its teller.
        let names: HashSet<_> = entries.iter().map(|entry| &entry.provider.name).collect();
        self.providers().retain(|name, teller| Arc::strong_count(teller) > 1 || names.contains(name));
    }

    /// An API key is another one now.
    pub(super) fn key_changed(
        &self,
        entry: &ProviderEntry,
        before: Option<&Held<Credential>>,
        now: &Held<Credential>,
    ) {
        let reason = if before.is_none() { Reason::FirstUse } else { Reason::SecretChanged };
        self.provider(entry).changed(reason, before, now);
    }

    /// A secret can be used, and is the same as before.
    pub(super) fn secret_usable(&self, entry: &ProviderEntry) {
        let provider = self.provider(entry);
        let mut renewal = provider.renewal();
        if renewal.secret.is_some() {
            *renewal = Renewal::default();
        }
    }

    /// A secret cannot be used; what was made of the last good one stays.
    pub(super) fn secret_unusable(
        &self,
        entry: &ProviderEntry,
        fault: &SecretFault,
        held: Option<&Held<Credential>>,
    ) {
        self.provider(entry).unusable(fault, held);
    }

    fn provider(&self, entry: &ProviderEntry) -> Arc<OfProvider> {
        let provider = &entry.provider;
        let mut providers = self.providers();
        match providers.get(&provider.name) {
            Some(teller) if teller.kind == provider.kind && teller.auth == provider.auth => {
                Arc::clone(teller)
            }
            _ => {
                let teller = Arc::new(OfProvider {
                    name: Arc::clone(&provider.name),
                    kind: provider.kind,
                    auth: provider.auth,
                    audited: AtomicBool::new(entry.audit_on_rotate),
                    audit: Arc::clone(&self.audit),
                    counts: self.metrics.for_token(&provider.name),
                    renewal: Mutex::default(),
                });
                providers.insert(Arc::clone(&provider.name), Arc::clone(&teller));
                teller
            }
        }
    }

    fn providers(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<OfProvider>>> {
        self.providers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfProvider {
    /// A credential came. It is the same as before where the fingerprints are.
    fn changed(&self, reason: Reason, before: Option<&Held<Credential>>, now: &Held<Credential>) {
        self.counts.refreshed(reason, RefreshResult::Ok);
        let Renewal { correlation, .. } = std::mem::take(&mut *self.renewal());
        if before.is_some_and(|before| before.id == now.id) {
            return;
        }
        let correlation = correlation.unwrap_or_else(|| self.audit.correlation());
        let old = before.map(|before| before.id);
        let (provider, reason_name) = (&*self.name, reason.as_str());
        let old_text = old.map(|id| id.to_string());
        tracing::info!(
            provider,
            reason = reason_name,
            old = old_text,
            new = %now.id,
            correlation_id = %correlation,
            "credential rotated"
        );
        let provenance = now.provenance.as_deref();
        let end = |held: &Held<Credential>| held.expiry.map(|expiry| expiry.unix());
        let rotated = Rotated {
            reason,
            old,
            new: now.id,
            old_expires_at: before.and_then(end),
            new_expires_at: end(now),
            scopes: provenance.map(|provenance| &*provenance.scopes).unwrap_or_default(),
            source: provenance.map_or(SECRET, |provenance| provenance.source),
            role: provenance.and_then(|provenance| provenance.role.as_deref()),
        };
        self.record(&Event::Rotated(rotated), correlation);
    }

    fn unusable(&self, fault: &SecretFault, held: Option<&Held<Credential>>) {
        let provider = &*self.name;
        tracing::warn!(provider, %fault, "secret cannot be used; the last good one stays");
        self.counts.refreshed(Reason::SecretChanged, RefreshResult::Failed);
        let (correlation, attempt) = {
            let mut renewal = self.renewal();
            let told = renewal.secret.as_ref().is_some_and(|(told, _)| told == fault);
            let attempt = renewal.secret.take().map_or(0, |(_, attempt)| attempt).saturating_add(1);
            renewal.secret = Some((fault.clone(), attempt));
            if told {
                return;
            }
            (*renewal.correlation.get_or_insert_with(|| self.audit.correlation()), attempt)
        };
        let failed = RefreshFailed {
            reason: if held.is_some() { Reason::SecretChanged } else { Reason::FirstUse },
            error: "unusable_material",
            fault: Fault::Operator,
            attempt,
            next_in: None,
            expires_at: held.and_then(|held| held.expiry).map(|expiry| expiry.unix()),
        };
        self.record(&Event::RefreshFailed(failed), correlation);
    }

    fn record(&self, event: &Event<'_>, correlation: Id) {
        if self.audited.load(Ordering::Relaxed) {
            let subject = Subject { provider: &self.name, kind: self.kind, auth: self.auth };
            self.audit.record(event, subject, correlation);
        }
    }

    fn renewal(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer<Credential, SourceError> for OfProvider {
    fn renewed(&self, exchange: &Exchange<'_, Credential>, now: &Held<Credential>) {
        self.counts.took(exchange.took);
        self.changed(exchange.reason, exchange.before, now);
    }

    fn failed(
        &self,
        exchange: &Exchange<'_, Credential>,
        error: &SourceError,
        attempt: u32,
        next_in: Duration,
    ) {
        self.counts.took(exchange.took);
        self.counts.refreshed(exchange.reason, RefreshResult::Failed);
        let correlation = *self.renewal().correlation.get_or_insert_with(|| self.audit.correlation());
        let (provider, reason) = (&*self.name, exchange.reason.as_str());
        tracing::warn!(
            provider, reason, %error, attempt, ?next_in, correlation_id = %correlation, "token not refreshed"
        );
        if matches!(error.kind, SourceErrorKind::Material(MaterialFault::Secret(_))) {
            // Told when the secret was read; there was no exchange.
            return;
        }
        let failed = RefreshFailed {
            reason: exchange.reason,
            error: error.code(),
            fault: error.fault(),
            attempt,
            next_in: Some(next_in),
            expires_at: exchange.before.and_then(|before| before.expiry).map(|expiry| expiry.unix()),
        };
        self.record(&Event::RefreshFailed(failed), correlation);
    }
}

#[cfg(test)]
#[path = "rotations_tests.rs"]
mod tests;
