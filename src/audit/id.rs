//! Names of events: UUIDs of version 7 (RFC 9562 section 5.7), which sort by time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(u128);

impl Id {
    /// Another one, of the millisecond `unix_millis`.
    #[must_use]
    pub fn new(unix_millis: u64) -> Self {
        let random = match (getrandom::u64(), getrandom::u64()) {
            (Ok(high), Ok(low)) => u128::from(high) << 64 | u128::from(low),
            // A machine that has run out of randomness: at least no two of this process are the same.
            _ => u128::from(counted()),
        };
        let time = u128::from(unix_millis) << 80;
        let fields = 0xf << 76 | 0x3 << 62;
        Self(time | random & !(u128::MAX << 80) & !fields | 0x7 << 76 | 0x2 << 62)
    }
}

fn counted() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |shift: u32, mask: u128| self.0 >> shift & mask;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            group(96, 0xffff_ffff),
            group(80, 0xffff),
            group(64, 0xffff),
            group(48, 0xffff),
            group(0, 0xffff_ffff_ffff)
        )
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The millisecond is the one of the example in RFC 9562 appendix A.6.
    #[test]
    fn an_id_is_a_uuid_of_version_7_that_begins_with_its_millisecond() {
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let text = Id::new(0x017F_22E2_79B0).to_string();
            let parts: Vec<_> = text.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert_eq!((parts[0], parts[1]), ("017f22e2", "79b0"));
            assert!(parts[2].starts_with('7') && parts[3].starts_with(['8', '9', 'a', 'b']), "{text}");
            assert!(seen.insert(text));
        }
        assert!(Id::new(2).to_string() > Id::new(1).to_string());
    }
}
