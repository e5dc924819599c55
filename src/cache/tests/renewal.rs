//! What is renewed before it ends.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::demand::settle;
use crate::base::Clock as _;
use crate::cache::testing::{Answer, Bench, Event, PausedClock, Script};
use crate::cache::{Policy, Reason, RefreshPolicy};

const MINUTES: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn what_is_used_is_renewed_before_it_ends_and_nobody_waits() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    assert_eq!(bench.request().await, Some(1));
    let began = tokio::time::Instant::now();
    let mut last = 1;
    while began.elapsed() < 10 * MINUTES {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let value = bench.entry.with(bench.clock.now(), |held| held.value).expect("there at once");
        assert!(value >= last);
        last = value;
    }
    // Renewed at half of its life, more or less: the margin of 5 minutes is that half.
    assert!((18..=21).contains(&last), "{last}");
    assert_eq!(bench.source.asked(), last);
    assert_eq!(bench.told.rotations(), last);
    assert_eq!(bench.told.events()[1], Event::Rotated(Reason::PreExpiry));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_is_left_alone_and_wakes_up_with_the_next_request() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    bench.entry.renewed().await.unwrap();
    tokio::time::sleep(MINUTES - Duration::from_secs(10)).await;
    assert_eq!(bench.source.asked(), 1);
    assert_eq!(bench.entry.with(bench.clock.now(), |held| held.value), Ok(1), "the old one, at once");
    settle().await;
    assert_eq!(bench.source.asked(), 2);
    assert_eq!(bench.entry.with(bench.clock.now(), |held| held.value), Ok(2));
    // After its end it is obtained like the first one.
    tokio::time::sleep(2 * MINUTES).await;
    let asked = bench.source.asked();
    assert_eq!(bench.request().await, Some(asked + 1));
}

#[tokio::test(start_paused = true)]
async fn proactive_is_there_before_anybody_asks_and_stays() {
    let bench = Bench::new(RefreshPolicy::Proactive, MINUTES);
    settle().await;
    for _ in 0..100 {
        assert!(bench.entry.handle().with_last_good(bench.clock.now(), |_| ()).is_ok());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!((19..=22).contains(&bench.source.asked()), "{}", bench.source.asked());
    assert!(bench.told.events().iter().all(|event| *event == Event::Rotated(Reason::Proactive)));
}

#[tokio::test(start_paused = true)]
async fn lazy_is_obtained_on_demand_only_and_not_taken_in_its_last_moments() {
    let bench = Bench::new(RefreshPolicy::Lazy, MINUTES);
    tokio::time::sleep(MINUTES).await;
    assert_eq!(bench.source.asked(), 0);
    assert_eq!(bench.request().await, Some(1));
    tokio::time::sleep(MINUTES - Duration::from_secs(31)).await;
    assert_eq!(bench.request().await, Some(1));
    assert_eq!(bench.source.asked(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.request().await, Some(2));
    assert_eq!(bench.told.events(), [Event::Rotated(Reason::FirstUse), Event::Rotated(Reason::Lazy)]);
}

#[tokio::test(start_paused = true)]
async fn the_source_s_own_hint_counts_within_the_life() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, Duration::from_secs(3_600));
    bench.source.then([Answer::Hint(Duration::from_secs(2_000)), Answer::Hint(Duration::ZERO)]);
    assert_eq!(bench.request().await, Some(1));
    tokio::time::sleep(Duration::from_secs(1_999)).await;
    assert_eq!(bench.source.asked(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.source.asked(), 2);
    assert_eq!(bench.request().await, Some(2));
    tokio::time::sleep(Duration::from_secs(1_799)).await;
    assert_eq!(bench.source.asked(), 2, "a hint of zero is no renewal a request");
}

/// Metadata servers hand out what they have until it is nearly over.
#[tokio::test(start_paused = true)]
async fn the_same_value_again_does_not_cause_a_loop() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, Duration::from_secs(240));
    let began = tokio::time::Instant::now();
    assert_eq!(bench.request().await, Some(1));
    while began.elapsed() < Duration::from_secs(239) {
        let left = Duration::from_secs(240).saturating_sub(began.elapsed());
        *bench.source.life.lock().unwrap() = left;
        if bench.source.answers.lock().unwrap().is_empty() {
            bench.source.then([Answer::Same]);
        }
        assert_eq!(bench.request().await, Some(1));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(bench.source.asked() <= 10, "{}", bench.source.asked());
    assert_eq!(bench.told.rotations(), 1, "the same value is no rotation");
}

#[tokio::test(start_paused = true)]
async fn the_earlier_clock_ends_it() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, MINUTES);
    assert_eq!(bench.request().await, Some(1));
    bench.clock.set(-86_400);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.request().await, Some(1));
    bench.clock.set(86_400 + 700);
    assert_eq!(bench.request().await, Some(2), "by the calendar it is over");
    bench.clock.set(-86_400);
    bench.source.then((0..200).map(|_| Answer::Fail(crate::cache::testing::Broken::Down)));
    tokio::time::sleep(MINUTES).await;
    assert_eq!(bench.request().await, None, "a calendar that was set back does not make it live longer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_life_and_margin_renew_too_often_and_nobody_gets_what_has_ended(
        life in 200u64..4_000_000,
        margin in 0u64..40_000_000,
        pace in 0.001f64..0.9,
        policy in prop_oneof![
            Just(RefreshPolicy::PreExpiry), Just(RefreshPolicy::Proactive), Just(RefreshPolicy::Lazy)
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (life, margin) = (Duration::from_millis(life), Duration::from_millis(margin));
        let (asked, elapsed, rotations) = runtime.block_on(async move {
            let clock = crate::cache::testing::PausedClock::new();
            let bench = Bench::with_policy(Policy { refresh: policy, margin }, Script::new(&clock, life));
            let began = tokio::time::Instant::now();
            let mut born = std::collections::HashMap::new();
            for _ in 0..200 {
                let value = bench.request().await.expect("the source is never down");
                let first_seen = *born.entry(value).or_insert_with(tokio::time::Instant::now);
                assert!(first_seen.elapsed() <= life, "ended");
                tokio::time::sleep(life.mul_f64(pace / 10.0)).await;
            }
            (bench.source.asked(), began.elapsed(), bench.told.rotations())
        });
        let bound = 1.0 + elapsed.as_secs_f64() / (life.as_secs_f64() / 2.0);
        prop_assert!(asked as f64 <= bound + 1e-6, "{asked} > {bound}");
        prop_assert_eq!(asked, rotations);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_server_goes_what_is_on_its_way_lands_and_nothing_begins() {
    let bench = Bench::with(RefreshPolicy::Proactive, Script::gated(&PausedClock::new(), MINUTES));
    settle().await;
    assert_eq!(bench.source.asked(), 1);
    let refresher = Arc::clone(&bench.refresher);
    let rest = tokio::spawn(async move { refresher.rest().await });
    settle().await;
    assert!(!rest.is_finished());
    bench.source.gate.as_ref().unwrap().add_permits(2);
    let rest = rest.await.unwrap();
    assert!(bench.entry.handle().held().is_some());
    tokio::time::sleep(MINUTES).await;
    assert_eq!(bench.source.asked(), 1);
    drop(rest);
    settle().await;
    assert_eq!(bench.source.asked(), 2);
}
