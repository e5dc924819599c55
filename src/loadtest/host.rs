//! What a server costs the host it runs on: CPU, memory, threads and open files of a process, as Linux tells them in `/proc`
//! (proc(5)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// So many readings are kept at the most.
const MOST_POINTS: usize = 600;

/// Why a process cannot be read.
#[derive(Debug, Error)]
pub enum HostError {
    /// Check the number, and that the server runs on this host and in this PID namespace.
    #[error("there is no process {0} on this host")]
    None(u32),
    /// The server ended while it was measured, or its number belongs to another process now.
    #[error("process {0} has ended")]
    Ended(u32),
    /// Run as the same user, or as root.
    #[error("process {0} may not be read by this user")]
    Foreign(u32),
    /// This is no Linux, or `/proc` is not mounted.
    #[error("/proc tells nothing of process {0} that is understood")]
    NotUnderstood(u32),
}

/// A process. One that got its number later is told from it by its start.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    folder: PathBuf,
    started: u64,
    ticks_per_second: u64,
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads since its start, in steps of 10 ms mostly.
    pub cpu: Duration,
    /// Memory in use (`VmRSS`).
    pub rss_bytes: u64,
    /// The most that ever was in use (`VmHWM`).
    pub peak_rss_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets; None where this user may not count them.
    pub descriptors: Option<u64>,
}

/// Readings of a process from the start of a measurement to its end, in bounded room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageLine {
    points: Vec<(Duration, Usage)>,
    /// The least time between two; doubled whenever there are too many.
    apart: Duration,
}

impl Process {
    /// The process of this number.
    ///
    /// # Errors
    /// It is not there, or not for this user to read.
    pub fn of(pid: u32) -> Result<Self, HostError> {
        Self::within(Path::new("/proc"), pid, rustix::param::clock_ticks_per_second())
    }

    fn within(proc: &Path, pid: u32, ticks_per_second: u64) -> Result<Self, HostError> {
        let folder = proc.join(pid.to_string());
        let stat = read(&folder.join("stat"), pid).map_err(|error| match error {
            HostError::Ended(pid) => HostError::None(pid),
            other => other,
        })?;
        let stat = Stat::of(&stat).ok_or(HostError::NotUnderstood(pid))?;
        let process = Self { pid, folder, started: stat.started, ticks_per_second: ticks_per_second.max(1) };
        process.usage()?;
        Ok(process)
    }

    /// What it has used until now.
    ///
    /// # Errors
    /// It has ended, or is not for this user to read.
    pub fn usage(&self) -> Result<Usage, HostError> {
        let not_understood = || HostError::NotUnderstood(self.pid);
        let stat = read(&self.folder.join("stat"), self.pid)?;
        let stat = Stat::of(&stat).ok_or_else(not_understood)?;
        // A zombie has no memory any more: it only waits for its parent.
        if stat.started != self.started || matches!(stat.state, "Z" | "X" | "x") {
            return Err(HostError::Ended(self.pid));
        }
        let status = read(&self.folder.join("status"), self.pid)?;
        let nanos = u128::from(stat.ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        Ok(Usage {
            cpu: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            rss_bytes: kilobytes(&status, "VmRSS:").ok_or_else(not_understood)?,
            peak_rss_bytes: kilobytes(&status, "VmHWM:").ok_or_else(not_understood)?,
            threads: stat.threads,
            descriptors: fs::read_dir(self.folder.join("fd")).ok().map(|files| files.count() as u64),
        })
    }
}

impl UsageLine {
    /// Adds what was read at `at` after the start of the measurement. The first and the latest are always kept.
    pub fn add(&mut self, at: Duration, usage: Usage) {
        if let [.., (before, _), (last, _)] = self.points[..]
            && last.saturating_sub(before) < self.apart
        {
            self.points.pop();
        }
        self.points.push((at, usage));
        if self.points.len() > MOST_POINTS {
            let (end, mut index) = (self.points.len() - 1, 0);
            self.points.retain(|_| {
                index += 1;
                (index - 1) % 2 == 0 || index - 1 == end
            });
            self.apart = self.apart.max(Duration::from_millis(900)).saturating_mul(2);
        }
    }

    /// All that are kept, in the order of time.
    #[must_use]
    pub fn points(&self) -> &[(Duration, Usage)] {
        &self.points
    }
}

/// What is needed of `/proc/PID/stat`.
struct Stat<'t> {
    state: &'t str,
    ticks: u64,
    threads: u64,
    started: u64,
}

impl<'t> Stat<'t> {
    /// The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    fn of(text: &'t str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        // proc_pid_stat(5) counts from 1, and the state is the third.
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?,
            ticks: number(14)?.checked_add(number(15)?)?,
            threads: number(20)?,
            started: number(22)?,
        })
    }
}

/// A line of `/proc/PID/status` such as `VmRSS:     1234 kB`, in bytes.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

fn read(path: &Path, pid: u32) -> Result<String, HostError> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => HostError::Foreign(pid),
        io::ErrorKind::InvalidData => HostError::NotUnderstood(pid),
        // A file of a process that ends while it is read answers ESRCH.
        _ => HostError::Ended(pid),
    })
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
