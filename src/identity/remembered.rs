//! Tokens verified lately, by a digest of the whole token: a part of it, or one of its claims, would let another token pass for
//! it (CVE-2026-35030).
//!
//! The digest is GMAC under a key of this process, which is a third of SHA-256's work, and that is once a request. As a keyed
//! hash it needs no more than that: the chance that two tokens share one is below 2^-117 whatever they are (NIST SP 800-38D,
//! GHASH of 16 KiB), and nobody can look for such a pair, for neither key nor digest is ever seen outside. That the nonce is
//! always the same would break encryption, of which there is none, and betrays the key only to who sees digests.
//!
//! Only what was verified is remembered. A refusal is not: it may be over in a moment (a key that is on its way, a clock), and
//! whoever sends bad tokens sends a new one each time, so that they would push out those that are used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, rand};
use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, Weighter};
use zeroize::Zeroize as _;

use super::VerifiedPrincipal;
use super::key::Fingerprint;

/// An entry takes one place a kibibyte, so that the whole is bounded in number and in bytes.
const BYTES_A_PLACE: usize = 1024;

/// What an entry takes beside itself: in the table, in the list, and in the list of those that were pushed out lately.
const TABLE: usize = 256;

/// What a text takes beside itself: its pointer and length, and what the allocator rounds up to.
const TEXT: usize = size_of::<Box<str>>() + 16;

/// Verified tokens. Never holds a token itself.
pub(super) struct Remembered {
    tokens: Cache<TokenDigest, Verified, ByPlaces>,
    /// None where the machine gave no randomness: then the digest is SHA-256.
    key: Option<LessSafeKey>,
}

/// Stands for a token: its GMAC and nothing behind it, or its SHA-256.
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

/// Whose turn it is to verify a token that is not remembered.
pub(super) enum Turn<'a> {
    /// Nobody's: somebody did just now, and this came of it.
    Over(Verified),
    /// Ours. Who comes with the same token meanwhile waits for what comes of it; if nothing does, each has its own.
    Ours(Guard<'a>),
    /// Somebody had it and failed or takes too long; nobody waits for us.
    Beside,
}

/// Keeps others with the same token waiting.
type Guard<'a> = PlaceholderGuard<'a, TokenDigest, Verified, ByPlaces, DefaultHashBuilder, Lifecycle>;

type Lifecycle = DefaultLifecycle<TokenDigest, Verified>;

#[derive(Clone)]
pub(super) struct ByPlaces;

impl Remembered {
    /// A memory of at most `places` tokens; none at all with 0.
    pub(super) fn new(places: usize) -> Self {
        Self { tokens: Cache::with_weighter(places, places as u64, ByPlaces), key: random_key() }
    }

    /// What a token is remembered by.
    pub(super) fn digest(&self, token: &[u8]) -> TokenDigest {
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let mac = |key: &LessSafeKey| key.seal_in_place_separate_tag(nonce, Aad::from(token), &mut []).ok();
        match self.key.as_ref().and_then(mac) {
            Some(tag) => TokenDigest::of(tag.as_ref()),
            None => TokenDigest::of(digest::digest(&digest::SHA256, token).as_ref()),
        }
    }

    pub(super) fn find(&self, token: &TokenDigest) -> Option<Verified> {
        self.tokens.get(token)
    }

    /// To be asked before a token is verified that was not found. Blocks the thread where another one verifies the same token
    /// now, not longer than `patience`; holds nobody up who has another token.
    pub(super) fn turn(&self, token: &TokenDigest, patience: Duration) -> Turn<'_> {
        match self.tokens.get_value_or_guard(token, Some(Duration::ZERO)) {
            GuardResult::Value(verified) => return Turn::Over(verified),
            GuardResult::Guard(guard) => return Turn::Ours(guard),
            GuardResult::Timeout => {}
        }
        match self.tokens.get_value_or_guard(token, Some(patience)) {
            GuardResult::Value(verified) => Turn::Over(verified),
            // Who was first failed. The others are let go too, and nobody waits twice: with a bad token, sent over and over, they
            // would stand in line, and their threads with them.
            GuardResult::Guard(_) | GuardResult::Timeout => Turn::Beside,
        }
    }

    /// Ends a turn with what came of it.
    pub(super) fn keep(&self, turn: Turn<'_>, token: TokenDigest, verified: Verified) {
        match turn {
            // An error means that the token was forgotten meanwhile, which is another one's word.
            Turn::Ours(guard) => drop(guard.insert(verified)),
            Turn::Over(_) | Turn::Beside => self.tokens.insert(token, verified),
        }
    }

    pub(super) fn forget(&self, token: &TokenDigest) {
        self.tokens.remove(token);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

fn random_key() -> Option<LessSafeKey> {
    let mut key = [0; 32];
    rand::fill(&mut key).ok()?;
    let made = UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new);
    key.zeroize();
    made
}

impl TokenDigest {
    fn of(digest: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest) {
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
    let listed: usize = lists.map(|text| TEXT + text.len()).sum();
    TABLE + size_of::<(TokenDigest, Verified, VerifiedPrincipal)>() + TEXT + principal.subject.len() + listed
}

impl Weighter<TokenDigest, Verified> for ByPlaces {
    fn weight(&self, _: &TokenDigest, verified: &Verified) -> u64 {
        verified.places
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({} tokens)", self.tokens.len())
    }
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
