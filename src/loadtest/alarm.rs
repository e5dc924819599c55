//! Wakes a generator when a request is due. tokio's timer counts in milliseconds, which at some thousand requests a second
//! would send them in heaps.

use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

/// A clock that can be waited for.
pub(super) enum Alarm {
    /// The kernel's, to some microseconds.
    Fine(AsyncFd<OwnedFd>),
    /// tokio's, to a millisecond.
    Coarse,
}

impl Alarm {
    /// The finest that there is.
    #[allow(
        deprecated,
        reason = "what takes its place is unsafe; the descriptor is ours alone and is never exchanged"
    )]
    pub(super) fn new() -> Self {
        timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
            .ok()
            .and_then(|timer| AsyncFd::new(timer).ok())
            .map_or(Self::Coarse, Self::Fine)
    }

    /// Waits until `due`.
    pub(super) async fn until(&mut self, due: Instant) {
        if let Self::Fine(timer) = self
            && ring(timer, due).await.is_some()
        {
            return;
        }
        sleep_until(due).await;
    }
}

/// None: the timer cannot be used.
async fn ring(timer: &mut AsyncFd<OwnedFd>, due: Instant) -> Option<()> {
    let left = due.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Some(());
    }
    let value = Timespec { tv_sec: i64::try_from(left.as_secs()).ok()?, tv_nsec: left.subsec_nanos().into() };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once).ok()?;
    timer.readable().await.ok()?.clear_ready();
    Some(())
}
