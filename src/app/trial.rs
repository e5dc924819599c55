//! A credential obtained once, now, as the server would obtain it: what `bouncer token` shows.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::credentials::dress;
use super::{StartError, fingerprint_key};
use crate::base::{Clock, Expiry, Fingerprint, FingerprintKey, Now};
use crate::cache::{DEADLINE, Failure as _, Handle, Provenance};
use crate::config::{Config, CredentialSettings, ProviderEntry};
use crate::outbound::Http;
use crate::provider::{AuthType, ProviderKind};
use crate::secrets::FileSecrets;
use crate::token::{
    Legs, Material, Minter, Outward, SecretFault, SourceError, StaticKey, TokenSettings, load_static,
    token_source,
};

/// What came of it. Holds no secret.
#[derive(Debug)]
pub struct Trial {
    /// The entry's name.
    pub provider: Arc<str>,
    /// Its kind.
    pub kind: ProviderKind,
    /// Its auth type.
    pub auth: AuthType,
    /// The secret that was read; none for an ambient identity.
    pub secret: Option<String>,
    /// The token source, or `secret`; none where the secret is not good for one.
    pub source: Option<&'static str>,
    /// Every exchange on the way, the one that failed included.
    pub legs: Legs,
    /// When it ended.
    pub at: Now,
    /// How long it took.
    pub took: Duration,
    /// The credential, or why there is none.
    pub result: Result<Obtained, TrialError>,
}

/// A credential, as records know it.
#[derive(Debug)]
pub struct Obtained {
    /// Its fingerprint.
    pub id: Fingerprint,
    /// Its end; none for a key without one.
    pub expiry: Option<Expiry>,
    /// What it is good for, where its issuer says so.
    pub provenance: Option<Arc<Provenance>>,
}

/// Why there is no credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrialError {
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretFault),
    /// No token came.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Why nothing was tried.
#[derive(Debug, Error)]
pub enum NotTried {
    /// There is no such entry.
    #[error("there is no provider {name:?}")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        known: Vec<Arc<str>>,
    },
    /// The server would not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Obtains the credential of the entry `name`.
///
/// # Errors
/// [`NotTried`]; a credential that could not be obtained is a [`Trial`] too.
pub async fn trial(config: &Config, name: &str, clock: Arc<dyn Clock>) -> Result<Trial, NotTried> {
    let Some(entry) = config.providers.iter().find(|entry| &*entry.provider.name == name) else {
        let known = config.providers.iter().map(|entry| Arc::clone(&entry.provider.name)).collect();
        return Err(NotTried::Unknown { name: name.to_owned(), known });
    };
    let fingerprints = fingerprint_key(config)?;
    let began = clock.now();
    let store = Arc::new(FileSecrets::new(config.store.root.clone()));
    let mut legs = Legs::default();
    let (secret, source, result) = match &entry.credential {
        CredentialSettings::ApiKey { credential_ref, placement } => {
            let key = StaticKey {
                handle: &Handle::default(),
                kind: entry.provider.kind,
                placement,
                fingerprints: &fingerprints,
            };
            // Nothing is held yet, so there is always another one.
            let held = load_static(&*store, credential_ref, &key, began).map_err(TrialError::from);
            let obtained = held.and_then(|held| {
                let held = held.ok_or_else(SourceError::broken)?;
                Ok(Obtained { id: held.id, expiry: held.expiry, provenance: None })
            });
            (Some(credential_ref.clone()), Some("secret"), obtained)
        }
        CredentialSettings::Token(settings) => {
            let outward = Outward::new(Http::new().map_err(StartError::from)?, Arc::clone(&clock));
            // A refresh token that changes with this exchange is kept where the server finds it.
            outward.refresh_tokens.store_in(Arc::clone(&store) as _);
            let made = minter(entry, settings, &store, &outward, fingerprints);
            let source = made.as_ref().ok().map(Minter::name);
            let result = match made {
                Ok(minter) => mint(&minter, &mut legs, &*clock).await,
                Err(fault) => Err(fault.into()),
            };
            (settings.secret.clone(), source, result)
        }
    };
    let at = clock.now();
    Ok(Trial {
        provider: Arc::clone(&entry.provider.name),
        kind: entry.provider.kind,
        auth: entry.provider.auth,
        secret,
        source,
        legs,
        at,
        took: at.instant.saturating_duration_since(began.instant),
        result,
    })
}

fn minter(
    entry: &ProviderEntry,
    settings: &TokenSettings,
    store: &FileSecrets,
    outward: &Outward,
    fingerprints: FingerprintKey,
) -> Result<Minter, SecretFault> {
    let material = match &settings.secret {
        Some(name) => Material::read(store, name)?,
        None => Material::default(),
    };
    let source = token_source(settings, &material, outward)?;
    Ok(Minter::new(source, dress(entry, settings), fingerprints))
}

/// The same way as an entry of the cache goes, with the same deadline.
async fn mint(minter: &Minter, legs: &mut Legs, clock: &dyn Clock) -> Result<Obtained, TrialError> {
    let minted = tokio::time::timeout(DEADLINE, minter.mint(legs)).await;
    let minted = minted.unwrap_or_else(|_elapsed| Err(SourceError::timeout()))?;
    if minted.expiry.is_some_and(|expiry| expiry.is_over(clock.now())) {
        return Err(SourceError::over().into());
    }
    Ok(Obtained { id: minted.id, expiry: minted.expiry, provenance: minted.provenance })
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
