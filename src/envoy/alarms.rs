//! When the streams of a worker have waited for too long. All of them are looked at together, tick by tick: a timer of tokio's
//! for each one, set and taken back with nearly every request, costs several times as much, and a system call where it is the
//! next one to ring.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::local::Local;

/// An alarm is never early, and at most two of these late.
const TICK: Duration = Duration::from_millis(100);

/// The alarms of one worker.
#[derive(Debug)]
pub(super) struct Alarms {
    last_tick: Cell<Instant>,
    set: RefCell<Slab<(Instant, Waker)>>,
}

/// One of them, for as long as it lives.
#[derive(Debug)]
pub(super) struct Alarm {
    local: Local,
    place: usize,
}

/// Who is woken at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Due,
    All,
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self { last_tick: Cell::new(Instant::now()), set: RefCell::default() }
    }

    fn tick(&self, woken: Woken) {
        let now = Instant::now();
        self.last_tick.set(now);
        let due =
            |(end, waker): &(Instant, Waker)| (woken == Woken::All || *end <= now).then(|| waker.clone());
        let due: Vec<Waker> = self.set.borrow().iter().filter_map(|(_, alarm)| due(alarm)).collect();
        due.into_iter().for_each(Waker::wake);
    }
}

impl Local {
    /// What time it was at the last tick, without a look at a clock.
    pub(super) fn last_tick(&self) -> Instant {
        self.alarms().last_tick.get()
    }

    /// Ready once `end` is over. Until then `alarm` wakes the task that waits; it does so while the server is going, too.
    pub(super) fn poll_alarm(
        &self,
        alarm: &mut Option<Alarm>,
        end: Instant,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        // What was read at the last tick may be as old as that.
        let end = end + TICK;
        if self.last_tick() >= end {
            return Poll::Ready(());
        }
        let mut set = self.alarms().set.borrow_mut();
        match alarm.as_ref().and_then(|alarm| set.get_mut(alarm.place)) {
            Some((until, waker)) => {
                *until = end;
                waker.clone_from(context.waker());
            }
            None => {
                let place = set.insert((end, context.waker().clone()));
                drop(set);
                *alarm = Some(Alarm { local: self.clone(), place });
            }
        }
        Poll::Pending
    }

    /// Has the alarms ring. To be polled by the worker for as long as it serves.
    pub async fn keep_time(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.alarms().tick(if self.is_draining() { Woken::All } else { Woken::Due });
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let alarm = self.local.alarms().set.borrow_mut().try_remove(self.place);
        // Outside of the borrow: with its waker a task may end, and alarms of its own with it.
        drop(alarm);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::super::testing::Bench;
    use super::*;

    /// How long an alarm of `length` takes to ring.
    async fn rings_after(local: &Local, length: Duration) -> Duration {
        let (began, mut alarm) = (Instant::now(), None);
        let end = local.last_tick() + length;
        let mut time = pin!(local.keep_time());
        poll_fn(|context| {
            let _never = time.as_mut().poll(context);
            local.poll_alarm(&mut alarm, end, context)
        })
        .await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_never_early_and_hardly_late() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        for length in [0, 1, 99, 100, 101, 950, 10_000].map(Duration::from_millis) {
            let after = rings_after(&local, length).await;
            assert!(after >= length && after <= length + 2 * TICK, "{length:?}: {after:?}");
            // Some way into the next tick.
            tokio::time::advance(Duration::from_millis(37)).await;
            local.alarms().tick(Woken::Due);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_dropped_leaves_nothing() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        let mut context = Context::from_waker(Waker::noop());
        let mut alarms: Vec<_> = (0..9).map(|_| None).collect();
        for _ in 0..3 {
            for alarm in &mut alarms {
                assert!(local.poll_alarm(alarm, Instant::now() + TICK, &mut context).is_pending());
            }
        }
        assert_eq!(local.alarms().set.borrow().len(), 9, "one each, however often it was polled");
        drop(alarms);
        assert!(local.alarms().set.borrow().is_empty());
    }
}
