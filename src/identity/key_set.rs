//! An issuer's key set (JWKS, RFC 7517), parsed once and immutable.

use thiserror::Error;

/// The public keys of an issuer by `kid`.
#[derive(Debug)]
pub struct KeySet {}

/// Why a document is not used as a key set. The one in use stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Not a JSON object with an array `keys`.
    #[error("not a JWKS document")]
    NotJwks,
    /// No key in it can verify a signature.
    #[error("no usable key")]
    Empty,
}

impl KeySet {
    /// Reads a JWKS document. Keys that cannot verify (encryption keys, symmetric keys, RSA under 2048 bits, unknown
    /// types) are left out.
    ///
    /// # Errors
    /// [`KeySetError`]: keep the set that is in use.
    pub fn parse(_document: &[u8]) -> Result<Self, KeySetError> {
        todo!()
    }

    /// How many keys can verify.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
