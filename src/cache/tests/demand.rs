//! Who asks for what is not there.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::testing::{Answer, Bench, Broken, Event, PausedClock, Script, TestEntry, Told};
use crate::cache::{Entry, Part, Policy, Reason, RefreshPolicy, Refresher};

const HOUR: Duration = Duration::from_secs(3_600);

/// Lets everything run that can run without time going on.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_cold_requests_make_one_exchange() {
    let clock = PausedClock::new();
    let bench = Arc::new(Bench::with(RefreshPolicy::PreExpiry, Script::gated(&clock, HOUR)));
    let requests: Vec<_> = (0..10_000)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.request().await })
        })
        .collect();
    settle().await;
    bench.source.gate.as_ref().unwrap().add_permits(10_000);
    for request in requests {
        assert_eq!(request.await.unwrap(), Some(1));
    }
    assert_eq!(bench.source.asked(), 1);
    assert_eq!(bench.told.events(), [Event::Rotated(Reason::FirstUse)]);
}

/// It looked before the value came and asked after: between the two the exchange landed.
#[tokio::test(start_paused = true)]
async fn who_missed_the_landing_takes_what_it_brought() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    let mut part = None;
    bench.entry.renewed_telling(|told| part = Some(told)).await.unwrap();
    assert_eq!((bench.source.asked(), part), (1, Some(Part::Follow)));
    // What nobody should take any more is no answer.
    let held = bench.entry.handle().held().unwrap();
    bench.entry.reject(held.id);
    bench.entry.renewed_telling(|_part| ()).await.unwrap();
    assert_eq!(bench.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_does_not_take_the_exchange_with_it() {
    let clock = PausedClock::new();
    let bench = Arc::new(Bench::with(RefreshPolicy::PreExpiry, Script::gated(&clock, HOUR)));
    let first = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.request().await })
    };
    settle().await;
    first.abort();
    let second = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.request().await })
    };
    settle().await;
    bench.source.gate.as_ref().unwrap().add_permits(1);
    assert_eq!(second.await.unwrap(), Some(1));
    assert_eq!(bench.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_a_failure_that_all_share() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    bench.source.then([Answer::Panic]);
    let (one, other) = tokio::join!(bench.entry.renewed(), bench.entry.renewed());
    assert_eq!(one.unwrap_err().error, Broken::Bug);
    assert_eq!(other.unwrap_err().error, Broken::Bug);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(bench.request().await, Some(1));
    assert_eq!(bench.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_that_start_together_go_to_one_place_a_few_at_a_time() {
    let clock = PausedClock::new();
    let source = Arc::new(Script::new(&clock, HOUR));
    *source.takes.lock().unwrap() = Duration::from_millis(100);
    let refresher = Refresher::start(Arc::<PausedClock>::clone(&clock));
    let policy = Policy { refresh: RefreshPolicy::Proactive, ..Policy::default() };
    let made = |source: &Arc<Script>, origin: &str| -> Arc<TestEntry> {
        Entry::new(Arc::<Script>::clone(source), policy, origin, Arc::<Told>::default(), &refresher)
    };
    let entries: Vec<_> = (0..1_000).map(|_| made(&source, "https://idp.example")).collect();
    settle().await;
    // A place that hangs holds up nobody but its own.
    let (stuck, other) = (Arc::new(Script::gated(&clock, HOUR)), Arc::new(Script::new(&clock, HOUR)));
    let _hanging: Vec<_> = (0..1_000).map(|_| made(&stuck, "https://down.example")).collect();
    let elsewhere = made(&other, "https://third.example");
    settle().await;
    assert!(elsewhere.handle().held().is_some());
    // Nor does a request wait behind those that nobody asked for.
    // The middle of the line: its own turn comes long after.
    entries[500].renewed().await.unwrap();
    let waiting = entries.iter().filter(|entry| entry.handle().held().is_none()).count();
    assert!(waiting > 900, "the clock's own are not through yet: {waiting}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(entries.iter().all(|entry| entry.handle().held().is_some()));
    let most = source.most_at_once.load(std::sync::atomic::Ordering::SeqCst);
    assert!(most <= 17, "{most}: 16 by the clock and the one that was asked for");
    assert_eq!(source.asked(), 1_000, "who got a value meanwhile has no need of its turn");
}
