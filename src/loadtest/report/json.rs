//! A report for programs. Names are promises and carry their unit; what is not known is null.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::limits::Missed;
use super::super::plan::{Pace, Until};
use super::super::record::Outcome;
use super::super::summary::{self, Bar, Interval, ServerPoint, Summary};
use super::words;

/// The report of a run as one JSON object over several lines.
#[must_use]
pub fn json(summary: &Summary, missed: &[Missed]) -> String {
    // No map of it has a key that is no string, so that it cannot fail.
    let mut text = serde_json::to_string_pretty(&Report::of(summary, missed)).unwrap_or_default();
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Report {
    asked: Asked,
    began: String,
    elapsed_s: f64,
    requests: u64,
    right: u64,
    errors: u64,
    rate_per_s: f64,
    latency: Option<Latency>,
    error_kinds: Vec<ErrorKind>,
    server: Option<Server>,
    missed_limits: Vec<MissedLimit>,
    timeline: Vec<Part>,
}

#[derive(Serialize)]
struct Asked {
    server: String,
    protocol: &'static str,
    transport: &'static str,
    pace: &'static str,
    rate_per_s: Option<f64>,
    connections: usize,
    streams: usize,
    callers: u64,
    warm_up_s: f64,
    duration_s: Option<f64>,
    requests: Option<u64>,
    patience_s: f64,
    details: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Latency {
    count: u64,
    over_60s: u64,
    min_us: u64,
    mean_us: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
    percentiles: Vec<Percentile>,
    histogram: Vec<Column>,
}

#[derive(Serialize)]
struct Percentile {
    percent: f64,
    latency_us: u64,
}

#[derive(Serialize)]
struct Column {
    from_us: u64,
    to_us: u64,
    count: u64,
}

#[derive(Serialize)]
struct ErrorKind {
    kind: &'static str,
    status: Option<i32>,
    text: String,
    count: u64,
    first_at_s: Option<f64>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Server {
    cpu_us_per_request: Option<f64>,
    cores: f64,
    rss_start_bytes: u64,
    rss_peak_bytes: u64,
    rss_end_bytes: u64,
    threads: u64,
    open_files: Option<u64>,
    timeline: Vec<Reading>,
}

#[derive(Serialize)]
struct Reading {
    at_s: f64,
    cores: f64,
    rss_bytes: u64,
    threads: u64,
    open_files: Option<u64>,
}

#[derive(Serialize)]
struct Part {
    start_s: f64,
    width_s: f64,
    requests: u64,
    errors: u64,
    p50_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
}

#[derive(Serialize)]
struct MissedLimit {
    limit: &'static str,
    unit: &'static str,
    measured: Option<f64>,
    allowed: Option<f64>,
    text: String,
}

impl Report {
    fn of(summary: &Summary, missed: &[Missed]) -> Self {
        Self {
            asked: Asked::of(summary),
            began: summary.began.rfc3339(),
            elapsed_s: seconds(summary.elapsed),
            requests: summary.requests,
            right: summary.right,
            errors: summary.wrong(),
            rate_per_s: rounded(summary.rate),
            latency: summary.latency.as_ref().map(Latency::of),
            error_kinds: ErrorKind::all(summary),
            server: summary.server.as_ref().map(Server::of),
            missed_limits: missed.iter().map(MissedLimit::of).collect(),
            timeline: summary.timeline.iter().map(Part::of).collect(),
        }
    }
}

impl Asked {
    fn of(summary: &Summary) -> Self {
        let (asked, plan) = (&summary.asked, &summary.asked.plan);
        let (duration, requests) = match plan.until {
            Until::Elapsed(time) => (Some(seconds(time)), None),
            Until::Requests(count) => (None, Some(count)),
        };
        Self {
            server: words::address(&plan.target.address),
            protocol: words::protocol(plan.target.protocol),
            transport: words::transport(&plan.target),
            pace: match plan.pace {
                Pace::Closed => "closed",
                Pace::Open { .. } => "open",
            },
            rate_per_s: summary.rate_asked(),
            connections: plan.connections,
            streams: plan.streams,
            callers: asked.callers,
            warm_up_s: seconds(plan.warm_up),
            duration_s: duration,
            requests,
            patience_s: seconds(plan.patience),
            details: asked.details.iter().cloned().collect(),
        }
    }
}

impl Latency {
    fn of(latency: &summary::Latency) -> Self {
        let point = |point: &summary::Percentile| Percentile {
            percent: (point.percent * 1e5).round() / 1e5,
            latency_us: point.took,
        };
        let column = |bar: &Bar| Column { from_us: bar.from, to_us: bar.to, count: bar.count };
        Self {
            count: latency.count,
            over_60s: latency.clamped,
            min_us: latency.min,
            mean_us: rounded(latency.mean),
            p50_us: latency.p50,
            p90_us: latency.p90,
            p99_us: latency.p99,
            p999_us: latency.p999,
            max_us: latency.max,
            percentiles: latency.percentiles.iter().map(point).collect(),
            histogram: latency.bars.iter().chain(&latency.tail).map(column).collect(),
        }
    }
}

impl ErrorKind {
    fn all(summary: &Summary) -> Vec<Self> {
        let known = summary.errors.iter().map(|error| {
            let (kind, status) = match error.outcome {
                Outcome::Right => ("right", None),
                Outcome::Refused(status) => ("refused", Some(i32::from(status))),
                Outcome::Wrong(_) => ("wrong", None),
                Outcome::Status(status) => ("grpc_status", Some(status)),
                Outcome::TimedOut => ("timed_out", None),
                Outcome::Broken => ("broken", None),
            };
            Self {
                kind,
                status,
                text: words::outcome(error.outcome, &summary.asked),
                count: error.count,
                first_at_s: Some(seconds(error.first)),
                reason: error.reason.clone(),
            }
        });
        let others = (summary.other_errors > 0).then(|| Self {
            kind: "other",
            status: None,
            text: words::OTHERS.to_owned(),
            count: summary.other_errors,
            first_at_s: None,
            reason: None,
        });
        known.chain(others).collect()
    }
}

impl Server {
    fn of(server: &summary::Server) -> Self {
        let reading = |point: &ServerPoint| Reading {
            at_s: seconds(point.at),
            cores: rounded(point.cores),
            rss_bytes: point.usage.rss_bytes,
            threads: point.usage.threads,
            open_files: point.usage.descriptors,
        };
        Self {
            cpu_us_per_request: server.cpu_per_request.map(rounded),
            cores: rounded(server.cores),
            rss_start_bytes: server.start.rss_bytes,
            rss_peak_bytes: server.peak_rss_bytes,
            rss_end_bytes: server.end.rss_bytes,
            threads: server.end.threads,
            open_files: server.end.descriptors,
            timeline: server.points.iter().map(reading).collect(),
        }
    }
}

impl Part {
    fn of(part: &Interval) -> Self {
        Self {
            start_s: seconds(part.start),
            width_s: seconds(part.width),
            requests: part.answered,
            errors: part.errors,
            p50_us: part.took.map(|(p50, _, _)| p50),
            p99_us: part.took.map(|(_, p99, _)| p99),
            max_us: part.took.map(|(_, _, max)| max),
        }
    }
}

impl MissedLimit {
    fn of(missed: &Missed) -> Self {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let (unit, measured, allowed) = match *missed {
            Missed::NoRequests => ("requests", Some(0.0), None),
            Missed::MaxP99 { measured, allowed } => ("us", measured.map(micros), Some(micros(allowed))),
            Missed::MinRate { measured, allowed } => ("per_s", Some(measured), Some(allowed)),
            Missed::MaxErrors { measured, allowed } => {
                ("requests", Some(float(measured)), Some(float(allowed)))
            }
        };
        Self {
            limit: missed.name(),
            unit,
            measured: measured.map(rounded),
            allowed: allowed.map(rounded),
            text: missed.to_string(),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64())
}

/// To a thousandth: more was not measured.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[allow(clippy::cast_precision_loss, reason = "requests of one run")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
