//! Tokens on their way to being credentials: what the cache knows as a source.

use std::fmt;
use std::sync::Arc;

use super::{AnswerFault, Legs, MaterialFault, SecretFault, SourceError, Token, TokenSource};
use crate::base::FingerprintKey;
use crate::cache::{Obtained, Obtaining, Source};
use crate::credential::{Bearer, Credential};

/// A token source, and how its tokens are dressed for the provider.
pub struct Minter {
    source: Arc<dyn TokenSource>,
    dress: Dress,
    fingerprints: FingerprintKey,
}

/// What a provider wants beside the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dress {
    /// `x-goog-user-project`.
    pub user_project: Option<String>,
    /// A flag of `anthropic-beta` that the token needs.
    pub beta: Option<&'static str>,
}

impl Minter {
    /// Tokens of `source`.
    #[must_use]
    pub fn new(source: Arc<dyn TokenSource>, dress: Dress, fingerprints: FingerprintKey) -> Self {
        Self { source, dress, fingerprints }
    }

    fn dressed(&self, token: Token) -> Result<Obtained<Credential>, SourceError> {
        let bearer = Bearer {
            token: &token.value,
            user_project: self.dress.user_project.as_deref(),
            beta: self.dress.beta,
        };
        let value = bearer.credential().map_err(|_| {
            SourceError::new("token endpoint", Some(self.source.origin()), AnswerFault::UnfitToken)
        })?;
        let id = value.fingerprint(&self.fingerprints);
        Ok(Obtained { value, id, expiry: token.expiry, refresh_in: token.refresh_in })
    }
}

impl Source<Credential, SourceError> for Minter {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        Box::pin(async move {
            let mut legs = Legs::default();
            let token = self.source.obtain(&mut legs).await?;
            self.dressed(token)
        })
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
