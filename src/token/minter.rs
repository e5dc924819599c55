//! Tokens on their way to being credentials: what the cache knows as a source.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{AnswerFault, Legs, MaterialFault, SecretFault, SourceError, Token, TokenSource, TokenValue};
use crate::base::{FingerprintKey, cut};
use crate::cache::{Obtained, Obtaining, Provenance, Source};
use crate::credential::{Bearer, Credential, Signer, SigningSettings};

/// A token source, and how its tokens are dressed for the provider.
pub struct Minter {
    source: Arc<dyn TokenSource>,
    dress: Dress,
    fingerprints: FingerprintKey,
    /// Of the last token: the next one's is usually the same.
    provenance: Mutex<Arc<Provenance>>,
}

/// What is kept of the scopes that an answer lists: so many, of so many bytes each.
const MOST_SCOPES: usize = 64;
const LONGEST_SCOPE: usize = 256;

/// What a provider wants beside the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dress {
    /// `x-goog-user-project`.
    pub user_project: Option<String>,
    /// A flag of `anthropic-beta` that the token needs.
    pub beta: Option<&'static str>,
    /// What is signed with keys of AWS.
    pub signing: Arc<SigningSettings>,
}

impl Minter {
    /// Tokens of `source`.
    #[must_use]
    pub fn new(source: Arc<dyn TokenSource>, dress: Dress, fingerprints: FingerprintKey) -> Self {
        Self { source, dress, fingerprints, provenance: Mutex::default() }
    }

    /// The source's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.source.name()
    }

    /// Obtains a token now. `legs` is told of every exchange on the way, the one that fails included.
    ///
    /// # Errors
    /// [`SourceError`] says what went wrong on which leg.
    pub async fn mint(&self, legs: &mut Legs) -> Result<Obtained<Credential>, SourceError> {
        let token = self.source.obtain(legs).await?;
        self.dressed(token)
    }

    fn provenance(&self, scopes: &[String]) -> Arc<Provenance> {
        let scopes = scopes.iter().take(MOST_SCOPES).map(|scope| Box::from(&*cut(scope, LONGEST_SCOPE)));
        let provenance = Provenance {
            source: self.source.name(),
            scopes: scopes.collect(),
            role: self.source.role().map(Box::from),
        };
        let mut last = self.provenance.lock().unwrap_or_else(PoisonError::into_inner);
        if **last != provenance {
            *last = Arc::new(provenance);
        }
        Arc::clone(&last)
    }

    fn dressed(&self, token: Token) -> Result<Obtained<Credential>, SourceError> {
        let value = match token.value {
            TokenValue::Bearer(value) => {
                let bearer = Bearer {
                    token: &value,
                    user_project: self.dress.user_project.as_deref(),
                    beta: self.dress.beta,
                };
                bearer.credential().map_err(|_| {
                    SourceError::new("token endpoint", Some(self.source.origin()), AnswerFault::UnfitToken)
                })?
            }
            TokenValue::Keys { keys, region } => {
                let settings = Arc::clone(&self.dress.signing);
                Credential::Signer(Box::new(Signer::new(keys, region, settings)))
            }
        };
        let id = value.fingerprint(&self.fingerprints);
        let provenance = Some(self.provenance(&token.scopes));
        Ok(Obtained { value, id, expiry: token.expiry, refresh_in: token.refresh_in, provenance })
    }
}

impl Source<Credential, SourceError> for Minter {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        Box::pin(async move { self.mint(&mut Legs::default()).await })
    }
}

/// What stands in for a source whose secret cannot be used.
#[derive(Debug)]
pub struct Unready(pub SecretFault);

impl Source<Credential, SourceError> for Unready {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        let fault = MaterialFault::Secret(self.0.clone());
        Box::pin(async move { Err(SourceError::new("secret", None, fault)) })
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Minter").field(&self.source).finish()
    }
}
