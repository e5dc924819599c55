//! Tells the log, the counters and the audit what became of credentials.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::{Exchange, Held, Observer, Reason};
use crate::config::ProviderEntry;
use crate::credential::Credential;
use crate::telemetry::{Metrics, RefreshResult};
use crate::token::{SecretFault, SourceError};

/// Where it is told.
#[derive(Debug)]
pub(super) struct Rotations {
    metrics: Arc<Metrics>,
}

/// One provider's teller.
#[derive(Debug)]
struct OfProvider {
    provider: Arc<str>,
    metrics: Arc<Metrics>,
}

impl Rotations {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// The teller of `entry`'s token.
    pub(super) fn of(&self, entry: &ProviderEntry) -> Arc<dyn Observer<Credential, SourceError>> {
        Arc::new(OfProvider {
            provider: Arc::clone(&entry.provider.name),
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// An API key is another one now.
    pub(super) fn key_changed(
        &self,
        entry: &ProviderEntry,
        before: Option<&Held<Credential>>,
        now: &Held<Credential>,
    ) {
        let provider = &*entry.provider.name;
        let reason = match before {
            None => Reason::FirstUse,
            Some(before) => {
                tracing::info!(provider, old = %before.id, new = %now.id, "key rotated");
                Reason::SecretChanged
            }
        };
        self.metrics.token_refresh(provider, reason, RefreshResult::Ok);
        self.metrics.token_expiry(provider, now.expiry.map(|expiry| expiry.unix()));
    }

    /// A secret cannot be used.
    pub(super) fn key_unusable(&self, entry: &ProviderEntry, fault: &SecretFault) {
        let provider = &*entry.provider.name;
        tracing::warn!(provider, %fault, "secret cannot be used; the last good one stays");
        self.metrics.token_refresh(provider, Reason::SecretChanged, RefreshResult::Failed);
    }
}

impl Observer<Credential, SourceError> for OfProvider {
    fn renewed(&self, exchange: &Exchange<'_, Credential>, now: &Held<Credential>) {
        let (provider, reason) = (&*self.provider, exchange.reason);
        if exchange.before.is_none_or(|before| before.id != now.id) {
            let old = exchange.before.map(|before| before.id.to_string()).unwrap_or_default();
            tracing::info!(provider, reason = reason.as_str(), old, new = %now.id, took = ?exchange.took, "token rotated");
        }
        self.metrics.token_refresh(provider, reason, RefreshResult::Ok);
        self.metrics.token_expiry(provider, now.expiry.map(|expiry| expiry.unix()));
    }

    fn failed(
        &self,
        exchange: &Exchange<'_, Credential>,
        error: &SourceError,
        attempt: u32,
        next_in: Duration,
    ) {
        let provider = &*self.provider;
        let reason = exchange.reason.as_str();
        tracing::warn!(provider, reason, %error, attempt, ?next_in, "token not refreshed");
        self.metrics.token_refresh(provider, exchange.reason, RefreshResult::Failed);
    }
}
