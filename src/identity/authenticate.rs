//! From request to [`Caller`]: the token if there is one, else the certificate, else the downstream half's facts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwapOption;

use super::{Caller, CallersSettings, IdentityError, IssuerSettings, KeySet};
use crate::base::UnixTime;
use crate::request::{RequestView, VerifiedFacts};

/// Everybody who may call, with the issuers' current keys and the tokens verified lately.
#[derive(Debug)]
pub struct Callers {}

/// One issuer: its settings, its current keys, its counters.
#[derive(Debug)]
pub struct Issuer {
    /// As configured.
    pub settings: IssuerSettings,
    /// The key set in use; none until the first fetch. `outbound/` swaps it.
    pub keys: ArcSwapOption<KeySet>,
    /// What became of its tokens.
    pub tally: Tally,
}

/// Counts for `bouncer_jwt_verifications_total`.
#[derive(Debug, Default)]
pub struct Tally {
    /// Verified by signature.
    pub accepted: AtomicU64,
    /// Refused.
    pub refused: AtomicU64,
    /// Known from the cache.
    pub cached: AtomicU64,
}

/// Which proofs of a request are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// A token, else a certificate.
    Any,
    /// The certificate alone: the token headers hold our own earlier credential (a retry).
    CertificateOnly,
}

impl Callers {
    /// Callers without any key set yet.
    #[must_use]
    pub fn new(_settings: CallersSettings) -> Self {
        todo!()
    }

    /// As configured.
    #[must_use]
    pub fn settings(&self) -> &CallersSettings {
        todo!()
    }

    /// The issuers in the order of `callers.jwt`.
    #[must_use]
    pub fn issuers(&self) -> &[Arc<Issuer>] {
        todo!()
    }

    /// Lower-case names of every header in which some issuer's token is accepted, each once.
    #[must_use]
    pub fn token_headers(&self) -> &[String] {
        todo!()
    }

    /// Finds out who sends `view`.
    ///
    /// # Errors
    /// [`IdentityError`]; [`IdentityError::UnknownKey`] is worth one more try after a refresh of that issuer's keys.
    pub fn authenticate(
        &self,
        _view: &RequestView<'_>,
        _presented: Presented,
        _now: UnixTime,
    ) -> Result<Caller, IdentityError> {
        todo!()
    }

    /// The caller that the downstream half verified. `None` is what a missing metadata namespace looks like.
    ///
    /// # Errors
    /// [`IdentityError::NoFacts`], [`IdentityError::StaleFacts`].
    pub fn from_facts(&self, _facts: Option<&VerifiedFacts>, _now: UnixTime) -> Result<Caller, IdentityError> {
        todo!()
    }
}

impl Caller {
    /// What the downstream half leaves for the upstream half.
    #[must_use]
    pub fn facts(&self) -> VerifiedFacts {
        todo!()
    }
}
