//! What a run cost the server's process.

use std::time::Duration;

use super::super::host::{Usage, UsageLine};
use super::float;

/// What it cost the server's process.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// CPU a request in microseconds, whatever came of it; None: there was no request.
    pub cpu_per_request: Option<f64>,
    /// Cores in use, on average.
    pub cores: f64,
    /// When the measurement began.
    pub start: Usage,
    /// When it ended.
    pub end: Usage,
    /// The most memory that was in use.
    pub peak_rss_bytes: u64,
    /// What was read between.
    pub points: Vec<ServerPoint>,
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerPoint {
    /// From the start of the measurement.
    pub at: Duration,
    /// Cores in use since the reading before.
    pub cores: f64,
    /// What was read.
    pub usage: Usage,
}

impl Server {
    pub(super) fn of(line: &UsageLine, requests: u64) -> Option<Self> {
        let (&(from, start), &(to, end)) = (line.points().first()?, line.points().last()?);
        let cpu = end.cpu.saturating_sub(start.cpu);
        let mut before = (from, start);
        let points = line.points().iter().map(|&(at, usage)| {
            let (earlier, used) = std::mem::replace(&mut before, (at, usage));
            let cores = cores(usage.cpu.saturating_sub(used.cpu), at.saturating_sub(earlier));
            ServerPoint { at, cores, usage }
        });
        let points: Vec<_> = points.skip(1).collect();
        let seen = line.points().iter().map(|(_, usage)| usage.rss_bytes).max()?;
        // The kernel's own mark tells of now only where it moved meanwhile.
        let marked = if end.peak_rss_bytes > start.peak_rss_bytes { end.peak_rss_bytes } else { 0 };
        Some(Self {
            cpu_per_request: (requests > 0).then(|| cpu.as_secs_f64() * 1e6 / float(requests)),
            cores: cores(cpu, to.saturating_sub(from)),
            start,
            end,
            peak_rss_bytes: seen.max(marked),
            points,
        })
    }
}

fn cores(cpu: Duration, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { cpu.as_secs_f64() / time.as_secs_f64() }
}
