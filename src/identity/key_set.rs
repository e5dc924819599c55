//! An issuer's key set (JWKS, RFC 7517), parsed once and immutable.
//!
//! Two keys of one `kid` are both kept: an issuer may publish a kid once for each algorithm. Those that fit the token's
//! algorithm are tried in turn, a few at most. Each is a key that the issuer vouches for: which one fits does not matter.

use thiserror::Error;

use super::Algorithm;
use super::json::{Json, Object};
use super::key::{Fingerprint, Key};

const MAX_DOCUMENT: usize = 256 * 1024;
const MAX_KEYS: usize = 100;
/// A signature is tried with no more keys than this.
const MAX_TRIED: usize = 4;

/// The public keys of an issuer by `kid`.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why a document is not used as a key set. The one in use stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Not a JSON object with an array `keys`, or one larger than any issuer's.
    #[error("not a JWKS document")]
    NotJwks,
    /// No key in it can verify a signature.
    #[error("no usable key")]
    Empty,
}

/// Why a signature is not verified by a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// No key has this kid.
    UnknownKid,
    /// The key is not for this algorithm, or there is no kid and not exactly one key for it.
    KeyMismatch,
    /// No key verifies it.
    Signature,
}

impl KeySet {
    /// Reads a JWKS document. Keys that cannot verify (encryption keys, symmetric or private keys, RSA under 2048 bits,
    /// unknown types) are left out.
    ///
    /// # Errors
    /// [`KeySetError`]: keep the set that is in use.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_DOCUMENT {
            return Err(KeySetError::NotJwks);
        }
        let document = Object::parse(document).ok_or(KeySetError::NotJwks)?;
        let listed =
            document.list("keys").filter(|keys| keys.len() <= MAX_KEYS).ok_or(KeySetError::NotJwks)?;
        let mut keys = Vec::with_capacity(listed.len());
        for key in listed {
            let Json::Object(jwk) = key else { return Err(KeySetError::NotJwks) };
            keys.extend(Key::parse(jwk));
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self { keys })
    }

    /// How many keys can verify.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Verifies `signature` over `message` and says which key did.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Fingerprint, Unverified> {
        let named = |key: &&Key| kid.is_none() || key.kid() == kid;
        if !self.keys.iter().any(|key| named(&key)) {
            return Err(Unverified::UnknownKid);
        }
        let mut fitting = self
            .keys
            .iter()
            .filter(named)
            .filter_map(|key| Some((key.fingerprint(), key.verifier(algorithm)?)))
            .take(MAX_TRIED)
            .peekable();
        if fitting.peek().is_none() || (kid.is_none() && fitting.clone().nth(1).is_some()) {
            return Err(Unverified::KeyMismatch);
        }
        fitting
            .find(|(_, verifier)| verifier.verify_sig(message, signature).is_ok())
            .map(|(fingerprint, _)| fingerprint)
            .ok_or(Unverified::Signature)
    }

    /// Whether this very key is still in the set.
    pub(super) fn holds(&self, fingerprint: Fingerprint) -> bool {
        self.keys.iter().any(|key| key.fingerprint() == fingerprint)
    }
}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;
