//! Limits at their very value, and limits on what was not measured.

use super::super::fixture;
use super::*;

const MS: Duration = Duration::from_millis(1);

/// `limits` on two right answers of 400 and 800 µs in a second, and a refusal.
#[track_caller]
fn check(limits: Limits, expected: &[&str]) {
    let missed: Vec<_> = limits.missed(&fixture::three()).iter().map(ToString::to_string).collect();
    assert_eq!(missed, expected, "{limits:?}");
}

#[test]
fn a_limit_is_kept_up_to_its_very_value() {
    check(Limits::default(), &[]);
    let kept = Limits { max_p99: Some(MS * 8 / 10), min_rate: Some(2.0), max_errors: Some(1) };
    check(kept, &[]);
}

#[test]
fn each_missed_limit_tells_what_was_measured_and_what_was_allowed() {
    let limits = Limits { max_p99: Some(MS * 799 / 1_000), min_rate: Some(2.1), max_errors: Some(0) };
    check(
        limits,
        &[
            "p99 was 800 µs, 799 µs allowed",
            "2/s right answers, at least 2.1/s asked for",
            "1 error, 0 allowed",
        ],
    );
}

#[test]
fn what_was_not_measured_is_not_kept() {
    let strict = Limits { max_errors: Some(0), ..Limits::default() };
    assert_eq!(strict.missed(&fixture::nothing()), [Missed::NoRequests]);
    assert_eq!(Limits::default().missed(&fixture::nothing()), []);
    let mut unmeasured = fixture::three();
    unmeasured.latency = None;
    let quick = Limits { max_p99: Some(MS), ..Limits::default() };
    assert_eq!(quick.missed(&unmeasured), [Missed::MaxP99 { measured: None, allowed: MS }]);
    check(
        Limits { min_rate: Some(f64::NAN), ..Limits::default() },
        &["2/s right answers, at least 0/s asked for"],
    );
}

#[test]
fn a_percentile_beyond_a_minute_is_no_minute() {
    let mut late = fixture::three();
    let latency = late.latency.as_mut().unwrap();
    (latency.p99, latency.clamped) = (LONGEST, 1);
    let patient = Limits { max_p99: Some(Duration::from_secs(90)), ..Limits::default() };
    assert_eq!(patient.missed(&late).len(), 1);
}
