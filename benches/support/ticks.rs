//! When the next request of an open loop is due.

use std::io;
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;

/// The kernel's timer: tokio's own counts in milliseconds, in which many requests would come due at once.
pub(crate) struct Ticks(AsyncFd<rustix::fd::OwnedFd>);

impl Ticks {
    /// One each `period`, from now on.
    ///
    /// # Errors
    /// When the kernel has no timer left.
    pub(crate) fn every(period: Duration) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let period = Timespec {
            tv_sec: i64::try_from(period.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(period.subsec_nanos().max(1_000)),
        };
        let period = Itimerspec { it_interval: period, it_value: period };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &period)?;
        #[allow(deprecated, reason = "its successor is unsafe, and asks only for what an OwnedFd is")]
        let timer = AsyncFd::new(timer)?;
        Ok(Self(timer))
    }

    /// Waits for the next, or tells of those that were missed at once.
    ///
    /// # Errors
    /// When the timer cannot be read.
    pub(crate) async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.0.readable().await?;
            let read = guard.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0_u8; 8])?));
            if let Ok(read) = read {
                return read.map(drop);
            }
        }
    }
}
