//! The figures: CPU of a process, latencies, medians.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Failure;
use crate::driver::{Address, Load, drive};
use crate::exchange::Question;

/// Ticks a second in /proc: the kernel's USER_HZ, 100 on every architecture that Envoy runs on.
const USER_HZ: f64 = 100.0;

/// One server driven once.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Round {
    /// User and system time of the server's process, µs a request.
    pub(crate) cpu_us: f64,
    /// Median time to the answer, µs.
    pub(crate) p50_us: f64,
    /// 99th percentile, µs.
    pub(crate) p99_us: f64,
    /// Answers a second.
    pub(crate) rate: f64,
}

/// Drives the server at `address` and reads the clock of its process before and after.
///
/// # Errors
/// When an answer is wrong, or the process is gone.
pub(crate) async fn round(
    pid: u32,
    address: &Address,
    question: &Question,
    load: Load,
) -> Result<Round, Failure> {
    let cpu = cpu_seconds(pid)?;
    let start = Instant::now();
    let mut times = drive(address, question, load).await?;
    let took = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds(pid)? - cpu;
    times.sort_unstable();
    let requests = load.requests as f64;
    Ok(Round {
        cpu_us: cpu * 1e6 / requests,
        p50_us: percentile(&times, 50),
        p99_us: percentile(&times, 99),
        rate: requests / took,
    })
}

/// utime and stime of all threads of a process: fields 14 and 15 of proc_pid_stat(5).
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "unknown layout of /proc/<pid>/stat");
    // The name, field 2, may hold blanks and brackets; the fields behind the last bracket hold none.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(broken)?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    match ticks.as_slice() {
        [user, system] => Ok((user + system) as f64 / USER_HZ),
        _ => Err(broken()),
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// The middle one, NaN of nothing; of an even number the upper of the two.
#[must_use]
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
