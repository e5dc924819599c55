//! A process seen from outside: its CPU, memory, descriptors, threads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
        for task in self.folder("task")? {
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

    /// How many descriptors it has open. A server that has made itself not dumpable belongs to root in /proc, whoever
    /// started it, and `fd` is for its owner only: proc(5).
    ///
    /// # Errors
    /// When there is no such process, or this one may not look into it.
    pub(crate) fn descriptors(self) -> io::Result<u64> {
        let open = self.folder("fd").map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                format!("{error}: the server is not dumpable, so that only root or CAP_DAC_READ_SEARCH may"),
            ),
            _ => error,
        })?;
        Ok(open.count() as u64)
    }

    fn status(self, field: &str) -> io::Result<u64> {
        let file = self.file("status");
        let status = fs::read_to_string(&file).map_err(|error| unread(&file, &error))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|line| first_number(line.trim_start()))
            .ok_or_else(broken)
    }

    fn folder(self, name: &str) -> io::Result<fs::ReadDir> {
        let folder = self.file(name);
        fs::read_dir(&folder).map_err(|error| unread(&folder, &error))
    }

    fn file(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn unread(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display()))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "unknown layout of /proc")
}
