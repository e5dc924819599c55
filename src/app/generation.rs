//! From a valid configuration to a generation that can serve, carrying over what did not change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use thiserror::Error;

use super::secret::load;
use crate::config::{Config, CredentialSettings, ProviderEntry};
use crate::envoy::Generation;
use crate::identity::Callers;
use crate::outbound::{Http, KeySetRefresher, spawn_key_sets};
use crate::pipeline::Snapshot;
use crate::provider::{Catalog, ProviderKind};
use crate::secrets::FileSecrets;
use crate::telemetry::{Metrics, RefreshReason, RefreshResult};
use crate::token::{Handle, Rotation, Store};

/// Makes generations. Knows the handles of the last one, so that a reload loses no credential that is in use.
#[derive(Debug)]
pub(super) struct Builder {
    http: Http,
    metrics: Arc<Metrics>,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    generation: u64,
    handles: HashMap<Arc<str>, (ProviderKind, CredentialSettings, Arc<Handle>)>,
}

/// A provider whose secret cannot be used, for `/readyz`.
pub(super) type SecretFaults = Vec<String>;

/// The catalog refuses what the configuration let through: a bug of ours, found at start and never at a request.
#[derive(Debug, Error)]
#[error("two provider entries could take the same request: {0}")]
pub struct Conflicts(String);

impl Builder {
    pub(super) fn new(http: Http, metrics: Arc<Metrics>) -> Self {
        Self { http, metrics, last: Mutex::default() }
    }

    /// Builds the generation of `config`. Keys and verified tokens are those of `previous` where the callers are the same.
    pub(super) fn build(
        &self,
        config: &Config,
        previous: Option<&Generation>,
    ) -> Result<(Generation, SecretFaults), Conflicts> {
        let providers = config.providers.iter().map(|entry| entry.provider.clone()).collect();
        let catalog = Catalog::new(providers).map_err(|conflicts| {
            Conflicts(conflicts.iter().map(|conflict| conflict.fact.as_str()).collect::<Vec<_>>().join(", "))
        })?;
        let (callers, key_sets) = self.callers(config, previous);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let handles: Vec<_> = config.providers.iter().map(|entry| last.handle(entry)).collect();
        last.handles = config
            .providers
            .iter()
            .zip(&handles)
            .map(|(entry, handle)| {
                let ProviderEntry { provider, credential } = entry;
                (Arc::clone(&provider.name), (provider.kind, credential.clone(), Arc::clone(handle)))
            })
            .collect();
        last.generation += 1;
        let tokens = Store::new(handles);
        let faults = self.secrets(config, &tokens);
        let generation = last.generation;
        let snapshot = Snapshot {
            generation,
            catalog,
            credential_headers: credential_headers(&callers, config),
            callers,
            tokens,
            on_no_provider: config.on_no_provider,
        };
        Ok((Generation::new(snapshot, key_sets, &self.metrics), faults))
    }

    /// Reads every secret into the handles of `tokens`.
    pub(super) fn secrets(&self, config: &Config, tokens: &Store) -> SecretFaults {
        let store = FileSecrets::new(config.store.root.clone());
        let mut faults = SecretFaults::new();
        for (index, entry) in config.providers.iter().enumerate() {
            let Some(handle) = tokens.handle(index) else { continue };
            let provider = &*entry.provider.name;
            let (reason, result) = match load(entry, handle, &store) {
                Ok(Rotation::Unchanged) => continue,
                Ok(Rotation::First) => (RefreshReason::FirstUse, RefreshResult::Ok),
                Ok(Rotation::Rotated) => {
                    tracing::info!(provider, "secret rotated");
                    (RefreshReason::SecretChanged, RefreshResult::Ok)
                }
                Err(fault) => {
                    tracing::warn!(provider, %fault, "secret cannot be used; the last good one stays");
                    faults.push(format!("provider {provider}: {fault}"));
                    (RefreshReason::SecretChanged, RefreshResult::Failed)
                }
            };
            self.metrics.token_refresh(provider, reason, result);
            self.metrics.token_expiry(provider, handle.expires_at());
        }
        faults
    }

    fn callers(&self, config: &Config, previous: Option<&Generation>) -> (Arc<Callers>, KeySetRefresher) {
        if let Some(previous) = previous {
            let callers = &previous.snapshot.callers;
            if *callers.settings() == config.callers {
                return (Arc::clone(callers), previous.key_sets().clone());
            }
        }
        let callers = Arc::new(Callers::new(config.callers.clone()));
        for issuer in callers.issuers() {
            // An issuer that was there before serves with the keys it has until its own first fetch.
            let before =
                previous.iter().flat_map(|previous| previous.snapshot.callers.issuers()).find(|before| {
                    before.settings.issuer == issuer.settings.issuer
                        && before.settings.jwks_uri == issuer.settings.jwks_uri
                });
            if let Some(before) = before {
                issuer.keys.store(before.keys.load_full());
            }
        }
        let key_sets = spawn_key_sets(Arc::clone(&callers), self.http.clone());
        self.metrics.watch_issuers(callers.issuers(), key_sets.monitor());
        (callers, key_sets)
    }
}

fn credential_headers(callers: &Callers, config: &Config) -> Vec<String> {
    let mut names = callers.token_headers().to_vec();
    for entry in &config.providers {
        let CredentialSettings::ApiKey { placement, .. } = &entry.credential;
        if !names.contains(&placement.header) {
            names.push(placement.header.clone());
        }
    }
    names
}

impl Last {
    /// The handle that the entry had before, if it is still the same credential.
    fn handle(&self, entry: &ProviderEntry) -> Arc<Handle> {
        match self.handles.get(&entry.provider.name) {
            Some((kind, credential, handle))
                if *kind == entry.provider.kind && *credential == entry.credential =>
            {
                Arc::clone(handle)
            }
            _ => Arc::default(),
        }
    }
}
