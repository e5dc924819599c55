//! The credentials of a configuration: slots that outlive it where nothing changed that shaped them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rotations::Rotations;
use crate::base::FingerprintKey;
use crate::cache::{CacheKey, Entry, Handle, Keyed, Refresher, Source};
use crate::config::{CredentialSettings, ProviderEntry};
use crate::credential::{ClockSkews, Credential};
use crate::provider::{ApiKeyPlacement, AuthType, ProviderKind};
use crate::secrets::{SecretSink, SecretSource};
use crate::token::{
    Chain, Dress, Grant, Material, Minter, Outward, SecretFault, Slot, SourceError, StaticKey, TokenEntry,
    TokenSettings, Unready, load_static, token_source,
};

/// Bounds of the tokens that are kept.
const MOST_TOKENS: u64 = 100_000;
const MOST_BYTES: u64 = 2 << 30;

/// What one of them takes at most: the longest token that is accepted, and a KiB beside it (`benches/tokens.rs`).
const TOKEN_BYTES: usize = 17 << 10;

/// Makes slots and keeps them. One for the process.
pub(super) struct Credentials {
    outward: Outward,
    refresher: Arc<Refresher>,
    fingerprints: FingerprintKey,
    rotations: Arc<Rotations>,
    tokens: Keyed<Kept>,
    keys: Mutex<Keys>,
    clocks: Arc<ClockSkews>,
}

/// The API keys in use, by entry, and what they were made for.
type Keys = HashMap<Arc<str>, (ProviderKind, CredentialSettings, Arc<Handle<Credential>>)>;

/// What the secrets held in one pass over the entries: thousands of them may share one.
pub(super) type Readings = HashMap<String, Result<Material, SecretFault>>;

/// A token's slot, and what its source is made of.
struct Kept {
    entry: Arc<TokenEntry>,
    material: Mutex<Option<Material>>,
}

impl Credentials {
    pub(super) fn new(outward: Outward, fingerprints: FingerprintKey, rotations: Arc<Rotations>) -> Self {
        let refresher = Refresher::start(Arc::clone(&outward.clock));
        let tokens = Keyed::new(MOST_TOKENS, MOST_BYTES, |_: &Kept| TOKEN_BYTES);
        Self {
            outward,
            refresher,
            fingerprints,
            rotations,
            tokens,
            keys: Mutex::default(),
            clocks: Arc::default(),
        }
    }

    /// What their exchanges run on.
    pub(super) fn refresher(&self) -> &Arc<Refresher> {
        &self.refresher
    }

    /// What credentials have their names from.
    pub(super) fn fingerprints(&self) -> &FingerprintKey {
        &self.fingerprints
    }

    /// How far the clocks of the hosts are from ours that requests are signed for.
    pub(super) fn clocks(&self) -> &Arc<ClockSkews> {
        &self.clocks
    }

    /// The slot of `entry`, the one that it had before where it is still the same credential, with what its secret holds
    /// now; and what is wrong with that.
    pub(super) fn slot(
        &self,
        entry: &ProviderEntry,
        store: &dyn SecretSource,
        readings: &mut Readings,
    ) -> (Slot, Option<SecretFault>) {
        self.rotations.meet(entry);
        match &entry.credential {
            CredentialSettings::ApiKey { credential_ref, placement } => {
                let handle = self.key(entry);
                let fault = self.load(entry, &handle, store, credential_ref, placement).err();
                (Slot::Fixed(handle), fault)
            }
            CredentialSettings::Token(settings) => self.token(entry, settings, store, readings),
        }
    }

    /// From now on, refresh tokens that change are stored in `store`.
    pub(super) fn store_in(&self, store: Arc<dyn SecretSink>) {
        self.outward.refresh_tokens.store_in(store);
    }

    /// Forgets the keys and tokens of entries that are gone: a token that nobody holds any more is not renewed either.
    pub(super) fn retain(&self, entries: &[ProviderEntry]) {
        self.rotations.retain(entries);
        let names: HashSet<_> = entries.iter().map(|entry| &entry.provider.name).collect();
        self.keys().retain(|name, _| names.contains(name));
        let tokens = entries.iter().filter_map(|entry| match &entry.credential {
            CredentialSettings::ApiKey { .. } => None,
            CredentialSettings::Token(settings) => Some(cache_key(entry, settings)),
        });
        let tokens: HashSet<_> = tokens.collect();
        self.tokens.retain(|key| tokens.contains(key));
    }

    fn key(&self, entry: &ProviderEntry) -> Arc<Handle<Credential>> {
        let ProviderEntry { provider, credential, .. } = entry;
        let mut keys = self.keys();
        match keys.get(&provider.name) {
            Some((kind, same, handle)) if *kind == provider.kind && same == credential => Arc::clone(handle),
            _ => {
                let handle = Arc::<Handle<Credential>>::default();
                let kept = (provider.kind, credential.clone(), Arc::clone(&handle));
                keys.insert(Arc::clone(&provider.name), kept);
                handle
            }
        }
    }

    fn load(
        &self,
        entry: &ProviderEntry,
        handle: &Handle<Credential>,
        store: &dyn SecretSource,
        credential_ref: &str,
        placement: &ApiKeyPlacement,
    ) -> Result<(), SecretFault> {
        let key =
            StaticKey { handle, kind: entry.provider.kind, placement, fingerprints: &self.fingerprints };
        match load_static(store, credential_ref, &key, self.outward.clock.now()) {
            Ok(None) => {
                self.rotations.secret_usable(entry);
                Ok(())
            }
            Ok(Some(held)) => {
                // Before it is in use: no credential is taken that no record speaks of.
                self.rotations.key_changed(entry, handle.held().as_deref(), &held);
                handle.put(held);
                Ok(())
            }
            Err(fault) => {
                self.rotations.secret_unusable(entry, &fault, handle.held().as_deref());
                Err(fault)
            }
        }
    }

    fn token(
        &self,
        entry: &ProviderEntry,
        settings: &TokenSettings,
        store: &dyn SecretSource,
        readings: &mut Readings,
    ) -> (Slot, Option<SecretFault>) {
        let material = match &settings.secret {
            Some(name) => match readings.get(name) {
                Some(read) => read.clone(),
                None => readings.entry(name.clone()).or_insert(Material::read(store, name)).clone(),
            },
            None => Ok(Material::default()),
        };
        let (material, mut fault) = match material {
            Ok(material) => (Some(material), None),
            Err(fault) => (None, Some(fault)),
        };
        let mut made = None;
        let kept = self.tokens.get_or_make(cache_key(entry, settings), || {
            let source = self.source(entry, settings, material.as_ref(), &mut fault);
            let observer = self.rotations.of(entry);
            let entry =
                Entry::new(source, settings.policy, &settings.grant.origin(), observer, &self.refresher);
            made = Some(());
            // Of a secret that is not fit nothing was made: it is judged again when it is read again.
            Arc::new(Kept { entry, material: Mutex::new(material.clone().filter(|_| fault.is_none())) })
        });
        let mut before = kept.material.lock().unwrap_or_else(PoisonError::into_inner);
        // A secret that cannot be read leaves the source that was made of the last good one.
        if made.is_none() && material.is_some() && *before != material {
            if let (Some(then), Some(now)) = (&*before, &material)
                && self.outward.refresh_tokens.wrote(then, now)
            {
                *before = material;
                return (Slot::Renewed(Arc::clone(&kept.entry)), fault);
            }
            let source = self.source(entry, settings, material.as_ref(), &mut fault);
            if fault.is_none() {
                kept.entry.replace_source(source);
                *before = material;
            }
        }
        drop(before);
        match &fault {
            Some(fault) => {
                self.rotations.secret_unusable(entry, fault, kept.entry.handle().held().as_deref());
            }
            None => self.rotations.secret_usable(entry),
        }
        (Slot::Renewed(Arc::clone(&kept.entry)), fault)
    }

    fn source(
        &self,
        entry: &ProviderEntry,
        settings: &TokenSettings,
        material: Option<&Material>,
        fault: &mut Option<SecretFault>,
    ) -> Arc<dyn Source<Credential, SourceError>> {
        let made = match material {
            Some(material) => {
                let chain = Arc::new(self.chain(entry, settings));
                token_source(settings, material, &Outward { chain, ..self.outward.clone() })
            }
            None => Err(fault.clone().unwrap_or(SecretFault::Name { name: String::new() })),
        };
        match made {
            Ok(source) => Arc::new(Minter::new(source, dress(entry, settings), self.fingerprints.clone())),
            Err(why) => {
                *fault = Some(why.clone());
                Arc::new(Unready(why))
            }
        }
    }

    /// The hops of a role chain are kept like the token itself, by the same policy and under the same records.
    fn chain(&self, entry: &ProviderEntry, settings: &TokenSettings) -> Chain {
        let (observer, refresher) = (self.rotations.of(entry), Arc::clone(&self.refresher));
        let (policy, origin, fingerprints) =
            (settings.policy, settings.grant.origin(), self.fingerprints.clone());
        Chain::kept(move |source, depth| {
            let minter = Minter::new(source, Dress::default(), fingerprints.clone());
            // A lane for each depth: who waits for the hop before holds a place on the own lane, and a lane that is full of
            // those who wait would have no place for whom they wait for.
            let lane = format!("{origin} hop {depth}");
            Entry::new(Arc::new(minter), policy, &lane, Arc::clone(&observer), &refresher)
        })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that shapes the token of `entry`, but what its secret holds: a secret that changes renews it in its place.
fn cache_key(entry: &ProviderEntry, settings: &TokenSettings) -> CacheKey {
    let provider = &entry.provider;
    CacheKey::of("provider", &(&provider.name, provider.kind, provider.auth, settings))
}

/// What the provider wants on the request beside the token.
pub(super) fn dress(entry: &ProviderEntry, settings: &TokenSettings) -> Dress {
    let user_project = match &settings.grant {
        Grant::Google(google) => google.user_project.clone(),
        _ => None,
    };
    let anthropic = entry.provider.kind == ProviderKind::Anthropic
        && matches!(entry.provider.auth, AuthType::OAuth2 | AuthType::Oidc);
    let signing = match &settings.grant {
        Grant::Aws(aws) => Arc::new(aws.signing.clone()),
        _ => Arc::default(),
    };
    Dress { user_project, beta: anthropic.then_some("oauth-2025-04-20"), signing }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
