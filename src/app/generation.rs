//! From a valid configuration to a generation that can serve, carrying over what did not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use super::credentials::{Credentials, Readings};
use crate::base::let_requests_pass;
use crate::config::{Config, CredentialSettings};
use crate::envoy::Generation;
use crate::identity::Callers;
use crate::outbound::{Http, KeySetRefresher, spawn_key_sets};
use crate::pipeline::Snapshot;
use crate::provider::Catalog;
use crate::secrets::FileSecrets;
use crate::telemetry::Metrics;
use crate::token::{Slot, Store};

/// Makes generations.
#[derive(Debug)]
pub(super) struct Builder {
    http: Http,
    metrics: Arc<Metrics>,
    credentials: Credentials,
    generation: AtomicU64,
}

/// A provider whose secret cannot be used, for `/readyz`.
pub(super) type SecretFaults = Vec<String>;

/// The catalog refuses what the configuration let through: a bug of ours, found at start and never at a request.
#[derive(Debug, Error)]
#[error("two provider entries could take the same request: {0}")]
pub struct Conflicts(String);

impl Builder {
    pub(super) fn new(http: Http, metrics: Arc<Metrics>, credentials: Credentials) -> Self {
        Self { http, metrics, credentials, generation: AtomicU64::new(0) }
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
        let (slots, faults) = self.credentials(config);
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let names = catalog.providers().iter().map(|provider| Arc::clone(&provider.name));
        let named: Vec<_> = names.zip(slots.iter().cloned()).collect();
        let counted: Vec<_> = named
            .iter()
            .map(|(name, slot)| (slot.clone(), Arc::clone(self.metrics.for_token(name).tally())))
            .collect();
        self.metrics.watch_tokens(named);
        let snapshot = Snapshot {
            generation,
            catalog,
            credential_headers: credential_headers(&callers, config),
            callers,
            tokens: Store::counting(counted, self.credentials.fingerprints().clone()),
            feedback: config.providers.iter().map(|entry| entry.feedback).collect(),
            clocks: Arc::clone(self.credentials.clocks()),
            max_body: config.limits.max_body,
            on_no_provider: config.on_no_provider,
        };
        Ok((Generation::new(snapshot, key_sets, &self.metrics), faults))
    }

    /// Reads every secret. The slots are those that the entries had before, where they are the same.
    pub(super) fn credentials(&self, config: &Config) -> (Vec<Slot>, SecretFaults) {
        let store = Arc::new(FileSecrets::new(config.store.root.clone()));
        self.credentials.store_in(Arc::clone(&store) as _);
        let (mut faults, mut readings) = (SecretFaults::new(), Readings::new());
        let slots = config.providers.iter().map(|entry| {
            let_requests_pass();
            let (slot, fault) = self.credentials.slot(entry, &*store, &mut readings);
            faults.extend(fault.map(|fault| format!("provider {}: {fault}", entry.provider.name)));
            slot
        });
        let slots = slots.collect();
        self.credentials.retain(&config.providers);
        (slots, faults)
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

/// Every header in which callers or this server send a credential.
fn credential_headers(callers: &Callers, config: &Config) -> Vec<String> {
    let mut names = callers.token_headers().to_vec();
    for entry in &config.providers {
        let name = match &entry.credential {
            CredentialSettings::ApiKey { placement, .. } => placement.header.as_str(),
            CredentialSettings::Token(_) => "authorization",
        };
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
