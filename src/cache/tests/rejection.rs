//! Values that the other side refuses.

use std::time::Duration;

use super::demand::settle;
use crate::base::Clock as _;
use crate::cache::testing::{Answer, Bench, Broken, Event};
use crate::cache::{Availability, Reason, RefreshPolicy, Rejection};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_rejected_value_is_replaced_and_who_comes_meanwhile_waits_for_the_next() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    let old = bench.entry.handle().held().unwrap().id;
    assert_eq!(bench.entry.reject(old), Rejection::Renewing);
    assert_eq!(bench.entry.with(bench.clock.now(), |_| ()), Err(Availability::Aging));
    assert_eq!(bench.request().await, Some(2));
    settle().await;
    assert_eq!(bench.source.asked(), 2);
    assert_eq!(bench.told.events().last(), Some(&Event::Rotated(Reason::UpstreamRejected)));
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_the_old_value_leaves_the_new_one() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    let old = bench.entry.handle().held().unwrap().id;
    bench.entry.renewed().await.unwrap();
    assert_eq!(bench.entry.reject(old), Rejection::NotCurrent);
    assert_eq!(bench.request().await, Some(2));
    settle().await;
    assert_eq!(bench.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_causes_one_renewal_in_half_a_minute() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    let began = tokio::time::Instant::now();
    let mut renewing = 0;
    while began.elapsed() < Duration::from_secs(90) {
        let id = bench.entry.handle().held().unwrap().id;
        renewing += usize::from(bench.entry.reject(id) == Rejection::Renewing);
        assert!(bench.request().await.is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(renewing <= 4, "{renewing}");
    assert_eq!(bench.source.asked(), 1 + renewing);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_better_can_be_had_a_rejected_value_serves_on_without_a_wait() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    bench.source.then((0..1_000).map(|_| Answer::Fail(Broken::Down)));
    let id = bench.entry.handle().held().unwrap().id;
    assert_eq!(bench.entry.reject(id), Rejection::Renewing);
    assert_eq!(bench.request().await, Some(1));
    assert_eq!(bench.entry.with(bench.clock.now(), |held| held.value), Ok(1), "callers can provoke refusals");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_replaced_renews_nothing() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    tokio::time::sleep(HOUR / 2).await;
    let id = bench.entry.handle().held().unwrap().id;
    assert_eq!(bench.entry.reject(id), Rejection::Renewing);
    assert_eq!(bench.request().await, Some(2));
    // Past the first value's own deadline, before the second's.
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(bench.request().await, Some(2));
    settle().await;
    assert_eq!(bench.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_shorten_the_pause_that_the_source_asked_for() {
    let bench = Bench::new(RefreshPolicy::PreExpiry, HOUR);
    assert_eq!(bench.request().await, Some(1));
    let minute = Duration::from_secs(60);
    bench.source.then([Answer::Fail(Broken::Later(minute))]);
    let failed = bench.entry.renewed().await.unwrap_err();
    let id = bench.entry.handle().held().unwrap().id;
    tokio::time::sleep(minute / 2).await;
    assert_eq!(bench.entry.reject(id), Rejection::Renewing);
    settle().await;
    assert_eq!(bench.source.asked(), 2, "callers can provoke refusals");
    assert_eq!(bench.entry.setback(), Some(failed), "nobody waits for it");
    tokio::time::sleep(minute / 2).await;
    settle().await;
    assert_eq!((bench.source.asked(), bench.request().await), (3, Some(2)));
    assert_eq!(bench.told.events().last(), Some(&Event::Rotated(Reason::UpstreamRejected)));
}
