//! A process seen from outside: its CPU, memory, descriptors, threads.

use std::fs;
use std::io;
use std::path::PathBuf;

/// What /proc says of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Seconds on a CPU of all its threads, user and system time together, to the nanosecond: the first field of
    /// /proc/PID/task/TID/schedstat. /proc/PID/stat counts in steps of 10 ms. A thread that has ended takes its time with it:
    /// the servers' workers live as long as they do.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn cpu_seconds(self) -> io::Result<f64> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(self.file("task"))? {
            // One that ends while it is read is none of the workers.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += first_number(&text).ok_or_else(broken)?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// MiB in memory.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn resident_mib(self) -> io::Result<f64> {
        Ok(self.status("VmRSS:")? as f64 / 1024.0)
    }

    /// Of these, its own: the rest is the program's file and others may use it too.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn anonymous_mib(self) -> io::Result<f64> {
        Ok(self.status("RssAnon:")? as f64 / 1024.0)
    }

    /// How many threads it has.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn threads(self) -> io::Result<u64> {
        self.status("Threads:")
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn descriptors(self) -> io::Result<u64> {
        Ok(fs::read_dir(self.file("fd"))?.count() as u64)
    }

    fn status(self, field: &str) -> io::Result<u64> {
        let status = fs::read_to_string(self.file("status"))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|line| first_number(line.trim_start()))
            .ok_or_else(broken)
    }

    fn file(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "unknown layout of /proc")
}
