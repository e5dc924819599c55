//! From request to [`Caller`]: the token if there is one, else the certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::client_cert::{ClientCertificate, ClientCertificates};
use super::jws::Jws;
use super::key_set::Unverified;
use super::remembered::{Remembered, TokenDigest, Turn, Verified};
use super::token_headers::{self, HeaderSet, PresentedToken};
use super::{
    Caller, CallersSettings, IdentityError, IssuerSettings, KeySet, TokenError, VerifiedPrincipal, jwt,
};
use crate::base::{Striped, UnixTime};
use crate::request::RequestView;

/// Everybody who may call, with the issuers' current keys and the tokens verified lately.
#[derive(Debug)]
pub struct Callers {
    settings: CallersSettings,
    issuers: Vec<Arc<Issuer>>,
    /// For each issuer, in which of `token_headers` its tokens are accepted.
    accepted_in: Vec<HeaderSet>,
    token_headers: Vec<String>,
    certificates: Option<ClientCertificates>,
    remembered: Remembered,
    /// See [`TOGETHER`].
    together: Duration,
}

/// How long a thread waits for another one that verifies the same token: many times what it takes (some 17 µs for RS256, 40 for
/// ES256), and no longer than its other requests can bear where that thread was put aside.
const TOGETHER: Duration = Duration::from_millis(1);

/// How a token that was not remembered came to be known.
enum Known {
    /// It was verified.
    Now,
    /// Another request verified it at the same time.
    FromAnother,
}

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
    /// Known from the cache, as nearly every one is.
    pub cached: Striped<AtomicU64>,
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
    pub fn new(settings: CallersSettings) -> Self {
        let token_headers = token_headers::names(&settings.jwt);
        let issuer = |settings: &IssuerSettings| {
            Arc::new(Issuer {
                settings: settings.clone(),
                keys: ArcSwapOption::empty(),
                tally: Tally::default(),
            })
        };
        Self {
            issuers: settings.jwt.iter().map(issuer).collect(),
            accepted_in: settings.jwt.iter().map(|issuer| HeaderSet::of(issuer, &token_headers)).collect(),
            token_headers,
            certificates: settings.mtls.as_ref().map(ClientCertificates::new),
            remembered: Remembered::new(settings.verified_tokens),
            together: TOGETHER,
            settings,
        }
    }

    /// As configured.
    #[must_use]
    pub fn settings(&self) -> &CallersSettings {
        &self.settings
    }

    /// The issuers in the order of `callers.jwt`.
    #[must_use]
    pub fn issuers(&self) -> &[Arc<Issuer>] {
        &self.issuers
    }

    /// Lower-case names of every header in which some issuer's token is accepted, each once.
    #[must_use]
    pub fn token_headers(&self) -> &[String] {
        &self.token_headers
    }

    /// Finds out who sends `view`. A token that is there is judged even beside a good certificate, and the other way
    /// round: neither can stand in for a bad other.
    ///
    /// # Errors
    /// [`IdentityError`]; [`IdentityError::UnknownKey`] is worth one more try after a refresh of that issuer's keys.
    pub fn authenticate(
        &self,
        view: &RequestView<'_>,
        presented: Presented,
        now: UnixTime,
    ) -> Result<Caller, IdentityError> {
        let token = match presented {
            Presented::Any => token_headers::find(&view.headers, &self.token_headers)?,
            Presented::CertificateOnly => None,
        };
        let principal = token.map(|token| self.verify(token, now)).transpose()?;
        match (principal, self.certificate(view)?) {
            (Some(principal), certificate) => {
                Ok(Caller { principal, via: certificate.map(|certificate| certificate.id) })
            }
            (None, Some(certificate)) => {
                Ok(Caller { principal: Arc::new(certificate.principal(now)), via: None })
            }
            (None, None) => Err(IdentityError::Missing),
        }
    }

    fn certificate(&self, view: &RequestView<'_>) -> Result<Option<ClientCertificate>, IdentityError> {
        match &self.certificates {
            Some(accepted) => Ok(accepted.read(view)?),
            None => Ok(None),
        }
    }

    fn verify(
        &self,
        token: PresentedToken<'_>,
        now: UnixTime,
    ) -> Result<Arc<VerifiedPrincipal>, IdentityError> {
        if token.text.len() > self.settings.max_token {
            return Err(TokenError::TooLong.into());
        }
        let digest = self.remembered.digest(token.text);
        if let Some(verified) = self.remembered.find(&digest) {
            if let Some(issuer) = self.issuers.get(verified.issuer)
                && verified.still_holds(issuer, now)
            {
                self.check_header(verified.issuer, token)?;
                issuer.tally.cached.mine().fetch_add(1, Ordering::Relaxed);
                return Ok(verified.principal);
            }
            self.remembered.forget(&digest);
        }
        token.is_one()?;
        let jws = Jws::parse(token.text)?;
        let (index, issuer) = self.issuer_of(&jws)?;
        let verified = self
            .check_header(index, token)
            .and_then(|()| self.verify_once(digest, (index, issuer), &jws, now));
        let (outcome, principal) = match verified {
            Ok((principal, Known::Now)) => (&issuer.tally.accepted, Ok(principal)),
            Ok((principal, Known::FromAnother)) => (issuer.tally.cached.mine(), Ok(principal)),
            Err(error) => (&issuer.tally.refused, Err(error)),
        };
        outcome.fetch_add(1, Ordering::Relaxed);
        principal
    }

    /// Verifies a token that is new here; of a burst of requests with the same one, on whatever threads, the first does.
    fn verify_once(
        &self,
        digest: TokenDigest,
        (index, issuer): (usize, &Issuer),
        jws: &Jws<'_>,
        now: UnixTime,
    ) -> Result<(Arc<VerifiedPrincipal>, Known), IdentityError> {
        let turn = self.remembered.turn(&digest, self.together);
        if let Turn::Over(verified) = &turn
            && verified.still_holds(issuer, now)
        {
            return Ok((Arc::clone(&verified.principal), Known::FromAnother));
        }
        let verified = issuer.verify(index, jws, now)?;
        let principal = Arc::clone(&verified.principal);
        self.remembered.keep(turn, digest, verified);
        Ok((principal, Known::Now))
    }

    /// Whose token it claims to be. Not believed before the signature is verified with a key of just this issuer.
    fn issuer_of(&self, jws: &Jws<'_>) -> Result<(usize, &Issuer), TokenError> {
        let name = jws.claims.text("iss").ok_or(TokenError::Issuer)?;
        let mut issuers = self.issuers.iter().map(Arc::as_ref).enumerate();
        issuers.find(|(_, issuer)| *issuer.settings.issuer == *name).ok_or(TokenError::Issuer)
    }

    fn check_header(&self, issuer: usize, token: PresentedToken<'_>) -> Result<(), IdentityError> {
        let accepted = self.accepted_in.get(issuer).copied().unwrap_or_default();
        if accepted.meets(token.seen_in) { Ok(()) } else { Err(TokenError::WrongHeader.into()) }
    }
}

impl Issuer {
    fn verify(&self, index: usize, jws: &Jws<'_>, now: UnixTime) -> Result<Verified, IdentityError> {
        if !self.settings.algorithms.contains(&jws.algorithm) {
            return Err(TokenError::Algorithm.into());
        }
        let keys = self.keys.load();
        let keys = keys.as_ref().ok_or(IdentityError::NoKeySet { issuer: index })?;
        let key =
            keys.verify(jws.algorithm, jws.kid.as_deref(), jws.signed, &jws.signature).map_err(|why| {
                match why {
                    Unverified::UnknownKid => IdentityError::UnknownKey { issuer: index },
                    Unverified::KeyMismatch => TokenError::KeyMismatch.into(),
                    Unverified::Signature => TokenError::Signature.into(),
                }
            })?;
        let principal = jwt::principal(&self.settings, &jws.claims, now)?;
        Ok(Verified::new(Arc::new(principal), index, key))
    }
}

impl Verified {
    /// Whether a verification would come to the same end now: the token is not past its time, and the issuer has not
    /// taken back the key.
    fn still_holds(&self, issuer: &Issuer, now: UnixTime) -> bool {
        now <= self.principal.not_after()
            && issuer.keys.load().as_ref().is_some_and(|keys| keys.holds(self.key))
    }
}

#[cfg(test)]
#[path = "authenticate_tests.rs"]
mod tests;
