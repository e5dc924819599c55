//! What is known of a request's body.

use aws_lc_rs::digest;
use thiserror::Error;

/// The body, as far as Envoy has shown it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body<'a> {
    /// There is none.
    #[default]
    Empty,
    /// There is one, and Envoy can be asked for it.
    Awaited,
    /// All of it.
    Whole(&'a [u8]),
    /// All of it came by, and this is its hash.
    Hashed(PayloadHash),
    /// There is one that cannot be had.
    Lost(BodyFault),
}

/// SHA-256 of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadHash([u8; 32]);

/// Hashes a body as it comes.
#[derive(Clone)]
pub struct PayloadHasher(digest::Context);

/// Why a body cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyFault {
    /// It came in part.
    #[error("only a part of the body came: {0}")]
    Partial(&'static str),
    /// It is larger than `limits.max_body`.
    #[error("the body is larger than limits.max_body")]
    TooLarge,
    /// So many bodies are held already that there is no room for it.
    #[error("limits.body_memory is used up by other bodies")]
    NoRoom,
    /// It is not of the length that the request says.
    #[error("the body is not of the length that content-length says: something on the way changed it")]
    Length,
    /// Envoy is set up in a way that never shows it.
    #[error("{0}")]
    Setting(&'static str),
}

impl PayloadHash {
    /// Of these bytes.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut hasher = PayloadHasher::default();
        hasher.update(body);
        hasher.finish()
    }

    /// The hash that these 64 lower-case hexadecimal digits are.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        if digits.len() != 64 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut hex = vec![0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        // Digits are text.
        String::from_utf8(hex).unwrap_or_default()
    }
}

impl PayloadHasher {
    /// The most that is hashed before others have their turn, in bytes: about half a millisecond.
    pub const SLICE: usize = 1 << 20;

    /// The next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// No more parts.
    #[must_use]
    pub fn finish(self) -> PayloadHash {
        let mut hash = [0; 32];
        hash.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        PayloadHash(hash)
    }
}

impl Default for PayloadHasher {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl std::fmt::Debug for PayloadHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PayloadHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_the_known_one_and_parts_make_the_whole() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(PayloadHash::of(b"").hex(), empty);
        assert_eq!(PayloadHash::from_hex(empty), Some(PayloadHash::of(b"")));
        for other in ["", &empty[1..], &empty.to_uppercase(), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(PayloadHash::from_hex(other), None, "{other}");
        }
        let mut hasher = PayloadHasher::default();
        hasher.update(b"a bo");
        hasher.update(b"dy");
        assert_eq!(hasher.finish(), PayloadHash::of(b"a body"));
    }
}
