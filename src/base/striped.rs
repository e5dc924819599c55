//! Counters that every request adds to, without a cache line that goes from core to core: each worker has its own copy, and
//! who reads adds them up.

use std::cell::Cell;
use std::sync::{LazyLock, OnceLock};

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(0) };
}

/// Asked for once: it reads files, and a configuration has thousands of counters.
static WORKERS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(STRIPES));

/// So many threads have a copy of their own; more than that share.
const STRIPES: usize = 64;

/// A value of which each worker has its own copy, made when it is first used: what is configured and never asked for takes
/// next to nothing. Made by the worker itself, so that it lies in that thread's part of the heap (mimalloc), and not beside
/// another one's.
#[derive(Debug)]
pub struct Striped<T> {
    /// Of every thread that is no worker.
    shared: T,
    own: Box<[OnceLock<Box<T>>]>,
}

/// From now on this thread counts by itself, as worker number `worker`. Two threads of one number are no error, only slower.
pub fn count_as_worker(worker: usize) {
    STRIPE.set(worker + 1);
}

impl<T: Default> Striped<T> {
    /// The copy of this thread.
    pub fn mine(&self) -> &T {
        match STRIPE.get().checked_sub(1).and_then(|worker| self.own.get(worker % self.own.len().max(1))) {
            Some(own) => own.get_or_init(Box::default),
            None => &self.shared,
        }
    }

    /// Every copy that there is.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        [&self.shared].into_iter().chain(self.own.iter().filter_map(|own| own.get().map(Box::as_ref)))
    }
}

impl<T: Default> Default for Striped<T> {
    fn default() -> Self {
        let own = (0..*WORKERS).map(|_| OnceLock::new()).collect();
        Self { shared: T::default(), own }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_is_counted_anywhere_is_in_the_sum_and_each_worker_has_its_own() {
        let counter = Striped::<AtomicU64>::default();
        let add = |times: u64| {
            for _ in 0..times {
                counter.mine().fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            for worker in [0, 1, 0, 1_000] {
                scope.spawn(move || {
                    count_as_worker(worker);
                    add(10);
                });
            }
            add(2);
        });
        let counts: Vec<_> = counter.all().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts.iter().sum::<u64>(), 42);
        assert_eq!((counts[0] >= 2, counts.len() > 1), (true, true), "{counts:?}");
    }
}
