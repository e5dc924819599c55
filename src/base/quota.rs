//! A quota: so many places in all, and of these so many for each who asks, so that one alone never has them all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places, shared by everybody who holds a clone. It knows only of those who have one: its memory is bounded by their number.
#[derive(Clone, Debug)]
pub struct Quota<K> {
    all: usize,
    each: usize,
    taken: Arc<Mutex<Counts<K>>>,
}

/// A place. It is given back when this goes, on whichever way out.
#[derive(Debug)]
pub struct Taken<K: Eq + Hash> {
    key: K,
    taken: Arc<Mutex<Counts<K>>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All are taken.
    All,
    /// The one who asks has as many as it may have.
    Each,
}

#[derive(Debug)]
struct Counts<K> {
    all: usize,
    by: HashMap<K, usize>,
}

impl<K: Eq + Hash + Clone> Quota<K> {
    /// So many `all` together, of which one key has at most `each`.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        Self { all, each, taken: Arc::new(Mutex::new(Counts { all: 0, by: HashMap::new() })) }
    }

    /// Takes a place for `key`. Waits for nobody.
    ///
    /// # Errors
    /// [`Full`]: turn it away, and say so.
    pub fn take(&self, key: K) -> Result<Taken<K>, Full> {
        let mut taken = locked(&self.taken);
        // Its own share first: who has too many is told that, also when all are taken.
        if taken.by.get(&key).is_some_and(|its| *its >= self.each) || self.each == 0 {
            return Err(Full::Each);
        }
        if taken.all >= self.all {
            return Err(Full::All);
        }
        taken.all += 1;
        *taken.by.entry(key.clone()).or_default() += 1;
        drop(taken);
        Ok(Taken { key, taken: Arc::clone(&self.taken) })
    }
}

impl<K: Eq + Hash> Drop for Taken<K> {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        if let Some(its) = taken.by.get_mut(&self.key) {
            *its = its.saturating_sub(1);
            if *its == 0 {
                taken.by.remove(&self.key);
            }
        }
    }
}

/// What is behind it is two counts, which a panic elsewhere leaves right.
fn locked<K>(taken: &Mutex<Counts<K>>) -> MutexGuard<'_, Counts<K>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_asks_again_and_again_never_has_them_all() {
        let places = Quota::new(5, 3);
        let mut held: Vec<_> = (0..3).map(|_| places.take("a").unwrap()).collect();
        assert_eq!(places.take("a").unwrap_err(), Full::Each);
        held.extend([places.take("b").unwrap(), places.take("b").unwrap()]);
        assert_eq!(places.take("b").unwrap_err(), Full::All);
        assert_eq!(places.take("c").unwrap_err(), Full::All);
        assert_eq!(places.take("a").unwrap_err(), Full::Each);
        held.remove(0);
        assert!(places.take("c").is_ok());
        assert!(places.take("a").is_ok());
    }

    #[test]
    fn who_has_no_place_is_not_remembered() {
        let places = Quota::new(2, 1);
        for key in 0..1_000 {
            drop(places.take(key).unwrap());
        }
        let (_first, _second) = (places.take(0).unwrap(), places.take(1).unwrap());
        for key in 0..1_000 {
            assert!(places.take(key).is_err());
        }
        assert_eq!(locked(&places.taken).by.len(), 2);
    }

    #[test]
    fn a_bound_of_nothing_has_no_place() {
        assert_eq!(Quota::new(0, 1).take(()).unwrap_err(), Full::All);
        assert_eq!(Quota::new(1, 0).take(()).unwrap_err(), Full::Each);
    }

    #[test]
    fn every_place_comes_back_from_many_threads() {
        let places = Quota::new(8, 4);
        std::thread::scope(|scope| {
            for key in 0..4 {
                let places = places.clone();
                scope.spawn(move || (0..10_000).for_each(|_| drop(places.take(key % 2))));
            }
        });
        let taken = locked(&places.taken);
        assert_eq!((taken.all, taken.by.len()), (0, 0));
    }
}
