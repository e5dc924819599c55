//! Tokens verified lately, by the SHA-256 of the whole token: a part of it, or one of its claims, would let another
//! token pass for it (CVE-2026-35030).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::VerifiedPrincipal;
use super::key::Fingerprint;

/// An entry takes one place a kibibyte, so that the whole is bounded in number and in bytes.
const BYTES_A_PLACE: usize = 1024;

/// Verified tokens. Never holds a token itself.
pub(super) struct Remembered(Cache<TokenDigest, Verified, ByPlaces>);

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

/// What was found out about a token, with all that must still hold for it to be used.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) principal: Arc<VerifiedPrincipal>,
    /// Position of the issuer.
    pub(super) issuer: usize,
    /// The key that verified it.
    pub(super) key: Fingerprint,
    places: u64,
}

#[derive(Clone)]
struct ByPlaces;

impl Remembered {
    /// A memory of at most `places` tokens; none at all with 0.
    pub(super) fn new(places: usize) -> Self {
        Self(Cache::with_weighter(places, places as u64, ByPlaces))
    }

    pub(super) fn find(&self, token: &TokenDigest) -> Option<Verified> {
        self.0.get(token)
    }

    pub(super) fn keep(&self, token: TokenDigest, verified: Verified) {
        self.0.insert(token, verified);
    }

    pub(super) fn forget(&self, token: &TokenDigest) {
        self.0.remove(token);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl TokenDigest {
    pub(super) fn of(token: &[u8]) -> Self {
        let mut bytes = [0; 32];
        // SHA-256 is 32 bytes long, so the two always fit.
        for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, token).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl Verified {
    pub(super) fn new(principal: Arc<VerifiedPrincipal>, issuer: usize, key: Fingerprint) -> Self {
        let places = (size(&principal) / BYTES_A_PLACE) as u64 + 1;
        Self { principal, issuer, key, places }
    }
}

/// Roughly what a principal takes in memory.
fn size(verified: &VerifiedPrincipal) -> usize {
    let (principal, context) = (verified.principal(), verified.auth_context());
    let lists = principal.groups.iter().chain(&context.amr).chain(&context.acr);
    let listed: usize = lists.map(|text| size_of::<Box<str>>() + text.len()).sum();
    size_of::<(TokenDigest, Verified, VerifiedPrincipal)>() + principal.subject.len() + listed
}

impl Weighter<TokenDigest, Verified> for ByPlaces {
    fn weight(&self, _: &TokenDigest, verified: &Verified) -> u64 {
        verified.places
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({} tokens)", self.0.len())
    }
}
