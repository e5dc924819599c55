//! Tests of what the store counts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::base::{Clock as _, Expiry, FingerprintKey};
use crate::cache::testing::PausedClock;
use crate::cache::{
    Entry, Exchange, Failure as _, Handle, Held, Observer, Obtained, Obtaining, Policy, RefreshPolicy,
    Refresher, Source,
};
use crate::credential::Credential;
use crate::token::{Slot, SourceError, Store, Unavailable};

struct Nobody;

impl Observer<Credential, SourceError> for Nobody {
    fn renewed(&self, _: &Exchange<'_, Credential>, _: &Held<Credential>) {}
    fn failed(&self, _: &Exchange<'_, Credential>, _: &SourceError, _: u32, _: Duration) {}
}

/// Brings values of ten minutes as often as it is told, and then fails.
struct Script {
    clock: Arc<PausedClock>,
    good: Mutex<VecDeque<&'static str>>,
}

impl Source<Credential, SourceError> for Script {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        Box::pin(async move {
            let name = self.good.lock().unwrap().pop_front().ok_or_else(SourceError::timeout)?;
            Ok(Obtained {
                value: empty(),
                id: key().of(name.as_bytes()),
                expiry: Some(Expiry::after(self.clock.now(), Duration::from_secs(600))),
                refresh_in: None,
                provenance: None,
            })
        })
    }
}

fn empty() -> Credential {
    Credential::Lines(Default::default())
}

fn key() -> FingerprintKey {
    FingerprintKey::new(&crate::base::Secret::new(vec![1; 32]))
}

fn counts(tally: &Tally) -> [u64; 4] {
    tally.read().map(|(_, count)| count)
}

fn store(clock: &Arc<PausedClock>, good: &[&'static str]) -> (Arc<Store>, Arc<Tally>) {
    let good = Mutex::new(good.iter().copied().collect());
    let source = Arc::new(Script { clock: Arc::clone(clock), good });
    let policy = Policy { refresh: RefreshPolicy::Lazy, ..Policy::default() };
    let refresher = Refresher::start(Arc::clone(clock) as _);
    let entry = Entry::new(source, policy, "idp", Arc::new(Nobody), &refresher);
    let tally = Arc::<Tally>::default();
    (Arc::new(Store::counting([(Slot::Renewed(entry), Arc::clone(&tally))], key())), tally)
}

/// What a request does with the store.
async fn request(store: &Store, clock: &PausedClock) -> Result<(), Unavailable> {
    match store.with(0, clock.now(), |_| ()) {
        Err(Unavailable::Awaited) => {
            store.renewed(0).await;
            store.with_last_good(0, clock.now(), |_| ())
        }
        other => other,
    }
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_together_one_missed_and_the_others_shared() {
    let clock = PausedClock::new();
    let (store, tally) = store(&clock, &["a"]);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
        requests.spawn(async move { request(&store, &clock).await });
    }
    requests.join_all().await.into_iter().for_each(|taken| taken.unwrap());
    assert_eq!(counts(&tally), [0, 0, 1, 9], "each request once");
    request(&store, &clock).await.unwrap();
    assert_eq!(counts(&tally), [1, 0, 1, 9]);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_one_is_stale_where_another_was_wanted() {
    let clock = PausedClock::new();
    let (store, tally) = store(&clock, &["a"]);
    request(&store, &clock).await.unwrap();
    // A lazy one in its last moments, and a source that has no other.
    tokio::time::sleep(Duration::from_secs(575)).await;
    request(&store, &clock).await.unwrap();
    assert_eq!(counts(&tally), [0, 0, 2, 0]);
    request(&store, &clock).await.unwrap();
    assert_eq!(counts(&tally), [0, 1, 2, 0]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(request(&store, &clock).await.is_err());
    assert_eq!(counts(&tally)[..2], [0, 1], "nothing was taken");
}

#[test]
fn a_key_that_is_there_is_a_hit_and_one_that_is_not_is_nothing() {
    let (handle, tally) = (Arc::<Handle<Credential>>::default(), Arc::<Tally>::default());
    let store = Store::counting([(Slot::Fixed(Arc::clone(&handle)), Arc::clone(&tally))], key());
    let now = crate::base::SystemClock.now();
    assert!(store.with(0, now, |_| ()).is_err());
    handle.put(Held::new(empty(), key().of(b"a"), None));
    store.with(0, now, |_| ()).unwrap();
    assert_eq!(counts(&tally), [1, 0, 0, 0]);
}
