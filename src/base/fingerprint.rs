//! Names for secret values that tell two of them apart and say nothing of either.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;

use super::Secret;

/// The key that fingerprints are made with: without it a weak secret could be guessed from its fingerprint.
#[derive(Clone)]
pub struct FingerprintKey(hmac::Key);

/// Keyed fingerprint of a secret value: the first 64 bits of an HMAC-SHA256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl FingerprintKey {
    /// A key of the installation, the same on every replica and after every start.
    #[must_use]
    pub fn new(key: &Secret<Vec<u8>>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// A key of this process; fingerprints of other processes are others. None on a machine without randomness.
    #[must_use]
    pub fn random() -> Option<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok().map(Self)
    }

    /// The fingerprint of `value`.
    #[must_use]
    pub fn of(&self, value: &[u8]) -> Fingerprint {
        let tag = hmac::sign(&self.0, value);
        Fingerprint(tag.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl Fingerprint {
    /// As a number, for an atomic. Zero is as unlikely as any other.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_value_and_key() {
        let key = FingerprintKey::new(&Secret::new(b"k".to_vec()));
        assert_eq!(key.of(b"a"), key.of(b"a"));
        assert_ne!(key.of(b"a"), key.of(b"b"));
        assert_ne!(key.of(b"a"), FingerprintKey::new(&Secret::new(b"l".to_vec())).of(b"a"));
        assert_ne!(FingerprintKey::random().unwrap().of(b"a"), FingerprintKey::random().unwrap().of(b"a"));
        assert_eq!(key.of(b"a").to_string().len(), 16);
    }
}
