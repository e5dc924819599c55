//! Values that must not be seen: no `Display`, no `Serialize`, a `Debug` that shows nothing, wiped when dropped.

use std::fmt;

use bytes::Bytes;
use zeroize::{Zeroize, Zeroizing};

/// A secret. `.expose()` is the only way to its value, and `tests/tidy.rs` lists the rooms that may call it.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

/// Secret bytes that are shared by cheap clones (a header value on many answers at once) and wiped with the last one.
#[derive(Clone)]
pub struct SecretBytes(Bytes);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        same(self.0.as_ref(), other.0.as_ref())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl SecretBytes {
    /// Takes the value in; the buffer is wiped when the last clone goes.
    #[must_use]
    pub fn new(value: Vec<u8>) -> Self {
        Self(Bytes::from_owner(Zeroizing::new(value)))
    }

    /// The value itself, sharing the same buffer.
    #[must_use]
    pub fn expose(&self) -> &Bytes {
        &self.0
    }

    /// Whether it is `value`; takes the same time wherever the two differ.
    #[must_use]
    pub fn is(&self, value: &[u8]) -> bool {
        same(&self.0, value)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for SecretBytes {}

fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let text =
            format!("{:?} {:?}", Secret::new(String::from("hunter2")), SecretBytes::new(b"hunter2".to_vec()));
        assert_eq!(text, "[secret] [secret]");
    }

    #[test]
    fn secrets_are_equal_by_value() {
        assert_eq!(Secret::new(String::from("a")), Secret::new(String::from("a")));
        assert_ne!(Secret::new(String::from("a")), Secret::new(String::from("ab")));
        assert_ne!(SecretBytes::new(vec![1]), SecretBytes::new(vec![2]));
    }
}
