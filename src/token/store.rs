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

    /// Takes the credential, while it may be used.
    ///
    /// # Errors
    /// [`Unavailable`]: 503 for the caller, a log line and a metric for the operator.
    pub fn with<R>(&self, now: UnixTime, take: impl FnOnce(&Credential) -> R) -> Result<R, Unavailable> {
        match self.0.load().as_deref() {
            None => Err(Unavailable::Never),
            Some(credential) if credential.expires_at.is_some_and(|end| now >= end) => {
                Err(Unavailable::Expired)
            }
            Some(credential) => Ok(take(credential)),
        }
    }

    fn is_on(&self, headers: &Headers<'_>) -> bool {
        self.0.load().as_ref().is_some_and(|credential| credential.is_on(headers))
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

    /// Takes the credential of the provider at `index`, as [`Handle::with`].
    ///
    /// # Errors
    /// [`Unavailable`].
    pub fn with<R>(
        &self,
        index: usize,
        now: UnixTime,
        take: impl FnOnce(&Credential) -> R,
    ) -> Result<R, Unavailable> {
        self.0.get(index).ok_or(Unavailable::Never)?.with(now, take)
    }

    /// Whether some provider's credential stands among `headers`: what an earlier attempt attached, seen again by an
    /// upstream filter on a retry.
    #[must_use]
    pub fn any_is_on(&self, headers: &Headers<'_>) -> bool {
        self.0.iter().any(|handle| handle.is_on(headers))
    }
}
