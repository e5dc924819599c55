//! A source that is down, refuses, hangs, or is replaced.

use std::sync::Arc;
use std::time::Duration;

use super::demand::settle;
use crate::cache::testing::{Answer, Bench, Broken, Event, PausedClock, Script};
use crate::cache::{Reason, RefreshPolicy, Retry};

const MINUTES: Duration = Duration::from_secs(600);

fn down(times: usize) -> impl Iterator<Item = Answer> {
    (0..times).map(|_| Answer::Fail(Broken::Down))
}

#[tokio::test(start_paused = true)]
async fn a_dead_source_is_not_seen_until_the_last_value_ends_and_recovery_is_quick() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    let began = tokio::time::Instant::now();
    assert_eq!(bench.request().await, Some(1));
    bench.source.then(down(100_000));
    while began.elapsed() < MINUTES - Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(bench.request().await, Some(1));
    }
    assert!(bench.source.asked() < 60, "{} attempts in five minutes", bench.source.asked());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.request().await, None, "ended");
    bench.source.answers.lock().unwrap().clear();
    let back = tokio::time::Instant::now();
    while bench.request().await.is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(back.elapsed() <= Duration::from_secs(6), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_remembered_for_a_moment() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    bench.source.then([Answer::Fail(Broken::Later(Duration::from_secs(20)))]);
    for _ in 0..1_000 {
        assert_eq!(bench.request().await, None);
    }
    assert_eq!(bench.source.asked(), 1);
    assert_eq!(
        bench.told.events(),
        [Event::Failed(Reason::FirstUse, Broken::Later(Duration::from_secs(20)), 1)]
    );
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(bench.request().await, None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.request().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_only_a_change_can_mend_is_asked_seldom_and_at_once_after_the_change() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    bench.source.then((0..10).map(|_| Answer::Fail(Broken::Refused)));
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(180) {
        assert_eq!(bench.request().await, None);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((3..=5).contains(&bench.source.asked()), "{}", bench.source.asked());
    bench.entry.replace_source(Arc::new(Script::new(&bench.clock, MINUTES)));
    settle().await;
    assert!(bench.entry.handle().held().is_some(), "nobody had to ask");
    assert_eq!(bench.told.events().last(), Some(&Event::Rotated(Reason::SecretChanged)));
    assert_eq!(Retry::WhenChanged, crate::cache::Failure::retry(&Broken::Refused));
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_ends_with_its_deadline() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    bench.source.then([Answer::Hang]);
    let began = tokio::time::Instant::now();
    assert_eq!(bench.request().await, None);
    assert!(began.elapsed() <= Duration::from_secs(11));
    assert_eq!(bench.told.events(), [Event::Failed(Reason::FirstUse, Broken::Timeout, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_when_it_comes_is_a_failure() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, Duration::from_secs(2));
    *bench.source.takes.lock().unwrap() = Duration::from_secs(3);
    assert_eq!(bench.request().await, None);
    assert_eq!(bench.told.events(), [Event::Failed(Reason::FirstUse, Broken::Over, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_an_older_source_brings_is_not_the_last_word() {
    let clock = PausedClock::new();
    let bench = Bench::with(RefreshPolicy::PreExpiry, Script::gated(&clock, MINUTES));
    let waiting = bench.entry.renewed();
    let replaced = async {
        settle().await;
        bench.entry.replace_source(Arc::new(Script::new(&clock, MINUTES)));
        bench.source.gate.as_ref().unwrap().add_permits(1);
    };
    let (outcome, ()) = tokio::join!(waiting, replaced);
    assert_eq!(outcome, Ok(()));
    settle().await;
    assert_eq!(bench.source.asked(), 1);
    assert_eq!(
        bench.told.events(),
        [Event::Rotated(Reason::FirstUse), Event::Rotated(Reason::SecretChanged)],
        "once by the old one, once by the new one"
    );
}

/// A secret that is revoked between reading and using it (THREATS C09).
#[tokio::test(start_paused = true)]
async fn an_older_source_s_refusal_holds_nobody_up() {
    let clock = PausedClock::new();
    let bench = Bench::with(RefreshPolicy::PreExpiry, Script::gated(&clock, MINUTES));
    bench.source.then([Answer::Fail(Broken::Refused)]);
    let waiting = bench.entry.renewed();
    let replaced = async {
        settle().await;
        bench.entry.replace_source(Arc::new(Script::new(&clock, MINUTES)));
        bench.source.gate.as_ref().unwrap().add_permits(1);
    };
    let (_refused, ()) = tokio::join!(waiting, replaced);
    settle().await;
    assert_eq!(bench.request().await, Some(1));
    assert_eq!(bench.told.rotations(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lazy_value_serves_to_its_end_where_no_other_can_be_had() {
    let bench = Bench::new(RefreshPolicy::Lazy, MINUTES);
    assert_eq!(bench.request().await, Some(1));
    bench.source.then(down(1_000));
    tokio::time::sleep(MINUTES - Duration::from_secs(10)).await;
    for _ in 0..10 {
        assert_eq!(bench.request().await, Some(1), "the last good one");
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(bench.request().await, None);
}
