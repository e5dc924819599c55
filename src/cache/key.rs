//! The name of a cached value: everything that shaped it, hashed so that no two different things look alike.

use std::fmt;
use std::hash::{Hash, Hasher};

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 over all that shaped a value, each part with its length.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

/// Takes the parts in, as `derive(Hash)` walks them: a part that is added to a type is in the key by itself.
struct Parts(Context);

impl CacheKey {
    /// The key of what `shaped_by` shapes. `kind` keeps the keys of different things apart.
    #[must_use]
    pub fn of(kind: &str, shaped_by: &impl Hash) -> Self {
        let mut parts = Parts(Context::new(&SHA256));
        parts.write(kind.as_bytes());
        shaped_by.hash(&mut parts);
        let mut key = [0; 32];
        // SHA-256 is 32 bytes long, so the two always fit.
        for (to, from) in key.iter_mut().zip(parts.0.finish().as_ref()) {
            *to = *from;
        }
        Self(key)
    }
}

impl Hasher for Parts {
    /// The length first, so that `a:b` and `c` are not `a` and `b:c` (THREATS C08).
    fn write(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The short hash of the trait: of no use here.
    fn finish(&self) -> u64 {
        0
    }
}

impl fmt::Debug for CacheKey {
    /// A prefix is enough to tell keys apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_read_alike_side_by_side_are_different_keys() {
        let key = |parts: &[&str]| CacheKey::of("t", &parts);
        let all = [
            key(&["a:b", "c"]),
            key(&["a", "b:c"]),
            key(&["a", "b", "c"]),
            key(&["ab", "c"]),
            key(&["abc"]),
            key(&["abc", ""]),
            key(&["é"]),
            key(&["e\u{301}"]),
            key(&["A"]),
            key(&["a"]),
            key(&[]),
            CacheKey::of("u", &["a"].as_slice()),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| one != other), "{at}");
        }
        assert_ne!(CacheKey::of("t", &None::<&str>), CacheKey::of("t", &Some("")), "absent is not empty");
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    }
}
