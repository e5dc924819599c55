//! The credentials in use, one handle a provider; taking one costs no lock and no wait.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::Unavailable;
use crate::base::UnixTime;
use crate::credential::Credential;
use crate::request::Headers;

/// One provider's credential. The background side swaps it; requests load it.
#[derive(Debug, Default)]
pub struct Handle(ArcSwapOption<Credential>);

/// The handles in the order of the configuration.
#[derive(Debug, Default)]
pub struct Store(Box<[Arc<Handle>]>);

impl Handle {
    /// Puts a new credential in place. The next request takes it.
    pub fn rotate(&self, credential: Credential) {
        self.0.store(Some(Arc::new(credential)));
    }

    /// The credential in place, whether it may still be used or not.
    pub(super) fn current(&self) -> Option<Arc<Credential>> {
        self.0.load_full()
    }

    /// When the credential in use ends; none without one, or for a key without an end.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.0.load().as_ref().and_then(|credential| credential.expires_at)
    }

    /// The credential, while it may be used.
    ///
    /// # Errors
    /// [`Unavailable`]: 503 for the caller, a log line and a metric for the operator.
    pub fn credential(&self, now: UnixTime) -> Result<arc_swap::Guard<Option<Arc<Credential>>>, Unavailable> {
        let guard = self.0.load();
        match guard.as_ref() {
            None => Err(Unavailable::Never),
            Some(credential) if credential.expires_at.is_some_and(|end| now >= end) => {
                Err(Unavailable::Expired)
            }
            Some(_) => Ok(guard),
        }
    }
}

impl Store {
    /// A store of these handles.
    #[must_use]
    pub fn new(handles: impl IntoIterator<Item = Arc<Handle>>) -> Self {
        Self(handles.into_iter().collect())
    }

    /// The handle of the provider at `index`.
    #[must_use]
    pub fn handle(&self, index: usize) -> Option<&Arc<Handle>> {
        self.0.get(index)
    }

    /// Whether a credential of ours stands among `headers`: what the first attempt attached, seen again by an upstream
    /// filter on a retry.
    #[must_use]
    pub fn is_on(&self, headers: &Headers<'_>) -> bool {
        self.0
            .iter()
            .any(|handle| handle.0.load().as_ref().is_some_and(|credential| credential.is_on(headers)))
    }
}
