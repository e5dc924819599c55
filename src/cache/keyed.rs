//! Cached things by key, bounded in number and in bytes.

use std::fmt;
use std::sync::Arc;

use moka::sync::Cache;

use super::CacheKey;

/// A bounded map. What is in use elsewhere lives on when it is put out of here.
pub struct Keyed<V: Send + Sync + 'static>(Cache<CacheKey, Arc<V>>);

impl<V: Send + Sync + 'static> Keyed<V> {
    /// At most `entries` things and `bytes` bytes; `weigh` tells what one takes.
    #[must_use]
    pub fn new(entries: u64, bytes: u64, weigh: fn(&V) -> usize) -> Self {
        // The library bounds one sum. A thing that weighs at least its share of the bytes bounds the number too.
        let share = u32::try_from(bytes.div_ceil(entries.max(1))).unwrap_or(u32::MAX);
        let weigher =
            move |_: &CacheKey, value: &Arc<V>| u32::try_from(weigh(value)).unwrap_or(u32::MAX).max(share);
        Self(Cache::builder().max_capacity(bytes).weigher(weigher).build())
    }

    /// What is there under `key`, else what `make` makes; one call of it, whoever asks at the same time.
    pub fn get_or_make(&self, key: CacheKey, make: impl FnOnce() -> Arc<V>) -> Arc<V> {
        self.0.get_with(key, make)
    }

    /// Keeps only what `keep` says. What is in use elsewhere lives on.
    pub fn retain(&self, keep: impl Fn(&CacheKey) -> bool) {
        for (key, _) in self.0.iter().filter(|(key, _)| !keep(key)) {
            self.0.invalidate(&*key);
        }
    }

    /// How many things there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<V: Send + Sync + 'static> fmt::Debug for Keyed<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyed({})", self.0.entry_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> CacheKey {
        CacheKey::of("t", &number)
    }

    #[test]
    fn number_and_bytes_are_both_bounded() {
        let few = Keyed::<Vec<u8>>::new(10, 1_000_000, Vec::len);
        let small = Keyed::<Vec<u8>>::new(1_000_000, 1_000, Vec::len);
        for number in 0..1_000 {
            few.get_or_make(key(number), || Arc::new(vec![0; 1]));
            small.get_or_make(key(number), || Arc::new(vec![0; 100]));
        }
        assert!(few.len() <= 10, "{}", few.len());
        assert!(small.len() <= 10, "{}", small.len());
    }

    #[test]
    fn the_same_key_is_made_once() {
        let keyed = Keyed::<u32>::new(10, 1_000, |_| 4);
        let first = keyed.get_or_make(key(1), || Arc::new(1));
        assert!(Arc::ptr_eq(&first, &keyed.get_or_make(key(1), || Arc::new(2))));
    }
}
