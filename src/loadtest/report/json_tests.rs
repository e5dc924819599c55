//! The fields of the JSON report, each by its name.

use serde_json::{Value, json as value};

use super::super::super::fixture;
use super::*;

fn report(summary: &Summary, missed: &[Missed]) -> Value {
    serde_json::from_str(&json(summary, missed)).unwrap()
}

#[test]
fn names_carry_their_unit_and_figures_are_those_of_the_run() {
    let allowed = Duration::from_micros(500);
    let missed = [Missed::MaxP99 { measured: Some(Duration::from_micros(800)), allowed }];
    let mut report = report(&fixture::three(), &missed);
    let latency = report["latency"].as_object_mut().unwrap();
    let columns = latency.remove("histogram").unwrap();
    let count = |column: &Value| column["count"].as_u64().unwrap();
    assert_eq!(columns.as_array().unwrap().iter().map(count).sum::<u64>(), 2);
    let points = latency.remove("percentiles").unwrap();
    assert_eq!(points[0], value!({"percent": 0.0, "latency_us": 400}));
    assert_eq!(
        report,
        value!({
            "asked": {
                "server": "127.0.0.1:9002", "protocol": "ext_proc", "transport": "plain text", "pace": "closed",
                "rate_per_s": null, "connections": 4, "streams": 256, "callers": 1000, "warm_up_s": 5.0,
                "duration_s": 1.0, "requests": null, "patience_s": 2.0, "details": {"body": "4 KiB, buffered"},
            },
            "began": "2026-01-01T00:00:00Z",
            "elapsed_s": 1.0,
            "requests": 3,
            "right": 2,
            "errors": 1,
            "rate_per_s": 2.0,
            "latency": {
                "count": 2, "over_60s": 0, "min_us": 400, "mean_us": 600.0, "p50_us": 400, "p90_us": 800,
                "p99_us": 800, "p999_us": 800, "max_us": 800,
            },
            "error_kinds": [{
                "kind": "refused", "status": 503, "text": "refused with HTTP 503", "count": 1, "first_at_s": 0.5,
                "reason": null,
            }],
            "server": {
                "cpu_us_per_request": 16666.667, "cores": 0.05, "rss_start_bytes": 29_360_128,
                "rss_peak_bytes": 30_408_704, "rss_end_bytes": 30_408_704, "threads": 4, "open_files": 23,
                "timeline": [{"at_s": 1.0, "cores": 0.05, "rss_bytes": 30_408_704, "threads": 4, "open_files": 23}],
            },
            "missed_limits": [{
                "limit": "max_p99", "unit": "us", "measured": 800.0, "allowed": 500.0,
                "text": "p99 was 800 µs, 500 µs allowed",
            }],
            "timeline": [{
                "start_s": 0.0, "width_s": 1.0, "requests": 3, "errors": 1, "p50_us": 401, "p99_us": 800,
                "max_us": 800,
            }],
        })
    );
}

#[test]
fn what_is_not_known_is_null() {
    let report = report(&fixture::nothing(), &[Missed::NoRequests]);
    for name in ["latency", "server"] {
        assert_eq!(report.get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(report["missed_limits"][0]["allowed"], Value::Null);
    assert_eq!(report["rate_per_s"], 0.0);
}

#[test]
fn every_kind_of_error_has_a_name_and_they_add_up() {
    let mut summary = fixture::troubled();
    summary.other_errors = 5;
    let report = report(&summary, &[]);
    let kinds: Vec<_> = report["error_kinds"].as_array().unwrap().iter().map(|kind| &kind["kind"]).collect();
    assert_eq!(kinds, ["refused", "grpc_status", "timed_out", "other"]);
    assert_eq!(report["asked"]["rate_per_s"], 2_000.0);
    assert_eq!(report["timeline"].as_array().unwrap().len(), 60);
}
