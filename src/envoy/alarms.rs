//! When the streams of a worker have waited for too long. All of them are looked at together, tick by tick: a timer of tokio's
//! for each one, set and taken back with nearly every request, costs several times as much, and a system call where it is the
//! next one to ring.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::local::Local;

/// An alarm is never early, and hardly later than one of these.
const TICK: Duration = Duration::from_millis(100);

/// The longest time for the first bytes of a call: Envoy sends them with it.
pub(super) const FIRST_BYTES: Duration = Duration::from_secs(10);

/// What a stream has after its deadline to end by itself, with a status.
const TO_END: Duration = Duration::from_secs(1);

/// The alarms of one worker.
#[derive(Debug)]
pub(super) struct Alarms {
    last_tick: Cell<Instant>,
    set: RefCell<Slab<Set>>,
    /// None of them rings before; none where there are none. Most ticks end with a look at it.
    earliest: Cell<Option<Instant>>,
}

/// One of them, for as long as it lives.
#[derive(Debug)]
pub(super) struct Alarm {
    local: Local,
    place: usize,
}

#[derive(Debug)]
struct Set {
    /// None where it rang: it does so once. Who is woken may not come here, for hyper polls no body while the bytes before wait for
    /// the peer's window.
    end: Option<Instant>,
    waker: Waker,
}

/// Who is woken at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Due,
    All,
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self { last_tick: Cell::new(Instant::now()), set: RefCell::default(), earliest: Cell::default() }
    }

    fn tick(&self, woken: Woken) {
        let now = Instant::now();
        self.last_tick.set(now);
        if woken == Woken::Due && self.earliest.get().is_none_or(|earliest| now < earliest) {
            return;
        }
        let (mut due, mut earliest) = (Vec::new(), None);
        let mut set = self.set.borrow_mut();
        for (_, alarm) in set.iter_mut() {
            match alarm.end {
                Some(end) if end <= now => {
                    alarm.end = None;
                    due.push(alarm.waker.clone());
                }
                end => {
                    earliest = sooner(earliest, end);
                    if woken == Woken::All {
                        due.push(alarm.waker.clone());
                    }
                }
            }
        }
        if set.is_empty() {
            set.shrink_to_fit();
        }
        drop(set);
        self.earliest.set(earliest);
        due.into_iter().for_each(Waker::wake);
    }
}

impl Local {
    /// What time it was at the last tick, without a look at a clock.
    pub(super) fn last_tick(&self) -> Instant {
        self.alarms().last_tick.get()
    }

    /// Ready once `end` is over. `alarm` wakes the task that waits then, and when the server begins to go.
    pub(super) fn poll_alarm(
        &self,
        alarm: &mut Option<Alarm>,
        end: Instant,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        if self.last_tick() >= end {
            return Poll::Ready(());
        }
        let earliest = &self.alarms().earliest;
        earliest.set(sooner(earliest.get(), Some(end)));
        let mut set = self.alarms().set.borrow_mut();
        let before = match alarm.as_ref().and_then(|alarm| set.get_mut(alarm.place)) {
            Some(alarm) => {
                alarm.end = Some(end);
                let other = !alarm.waker.will_wake(context.waker());
                other.then(|| std::mem::replace(&mut alarm.waker, context.waker().clone()))
            }
            None => {
                let place = set.insert(Set { end: Some(end), waker: context.waker().clone() });
                *alarm = Some(Alarm { local: self.clone(), place });
                None
            }
        };
        // Outside of the borrow: with its waker a task may end, and alarms of its own with it.
        drop(set);
        drop(before);
        Poll::Pending
    }

    /// `stream`, the task of one, which is dropped (and the stream reset) where it is there well after its deadlines. It ends by
    /// itself, with a status, unless its peer takes nothing of what was sent: then nobody looks at the deadlines in it.
    pub async fn bounded(self, stream: impl Future) {
        let mut stream = pin!(stream);
        let idle = self.limits().stream_idle + TO_END;
        let last = self.last_tick() + self.limits().stream_total + idle;
        let (mut end, mut alarm) = (self.last_tick() + idle, None);
        poll_fn(|context| {
            let now = self.last_tick();
            if stream.as_mut().poll(context).is_ready() || now >= end {
                return Poll::Ready(());
            }
            // Something came, or left: it has its time anew, though not for ever.
            end = last.min(now + idle);
            self.poll_alarm(&mut alarm, end, context)
        })
        .await;
    }

    /// Has the alarms ring. To be polled by the worker for as long as it serves.
    pub async fn keep_time(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut going = false;
        loop {
            ticks.tick().await;
            let begins_to_go = self.is_draining() && !going;
            going |= begins_to_go;
            self.alarms().tick(if begins_to_go { Woken::All } else { Woken::Due });
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let alarm = self.local.alarms().set.borrow_mut().try_remove(self.place);
        // Outside of the borrow, as above.
        drop(alarm);
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::testing::Bench;
    use super::*;

    /// How long an alarm of `length` takes to ring.
    async fn rings_after(local: &Local, length: Duration) -> Duration {
        let (began, mut alarm) = (Instant::now(), None);
        let end = began + length;
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
            local.alarms().tick(Woken::Due);
            // Some way into the next tick.
            tokio::time::advance(Duration::from_millis(37)).await;
            let after = rings_after(&local, length).await;
            assert!(after >= length && after <= length + 2 * TICK, "{length:?}: {after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_whatever_others_are_set_before_and_after_it() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        let (began, mut rung) = (Instant::now(), Vec::new());
        let mut alarms = [7, 3, 9, 1, 5].map(|seconds| (Duration::from_secs(seconds), None));
        let mut time = pin!(local.keep_time());
        poll_fn(|context| {
            let _never = time.as_mut().poll(context);
            for (length, alarm) in &mut alarms {
                let rings =
                    !rung.contains(length) && local.poll_alarm(alarm, began + *length, context).is_ready();
                if rings {
                    assert!(began.elapsed() <= *length + 2 * TICK, "{length:?}: {:?}", began.elapsed());
                    rung.push(*length);
                    *alarm = None;
                }
            }
            if rung.len() == alarms.len() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert_eq!(rung, [1, 3, 5, 7, 9].map(Duration::from_secs));
    }

    struct Rings(AtomicUsize);

    impl std::task::Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_nobody_heeds_rings_once() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        let rings = Arc::new(Rings(AtomicUsize::new(0)));
        let (waker, mut alarm) = (Waker::from(Arc::clone(&rings)), None);
        let end = Instant::now() + Duration::from_secs(1);
        assert!(local.poll_alarm(&mut alarm, end, &mut Context::from_waker(&waker)).is_pending());
        let _over = tokio::time::timeout(Duration::from_secs(60), local.keep_time()).await;
        assert_eq!(rings.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_was_held_up_takes_no_time_from_a_stream() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        tokio::time::advance(Duration::from_secs(11)).await;
        let (mut alarm, mut context) = (None, Context::from_waker(Waker::noop()));
        let end = Instant::now() + Duration::from_secs(10);
        assert!(local.poll_alarm(&mut alarm, end, &mut context).is_pending());
        local.alarms().tick(Woken::Due);
        assert!(local.poll_alarm(&mut alarm, end, &mut context).is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_cannot_end_by_itself_is_dropped() {
        let bench = Bench::small();
        let local = Local::new(bench.current);
        let idle = local.limits().stream_idle;
        // A task of its own: nothing wakes it but its alarm.
        let ends_after = async |stream: Pin<Box<dyn Future<Output = ()>>>| {
            let began = Instant::now();
            let task = tokio::task::spawn_local(local.clone().bounded(stream));
            tokio::select! {
                ended = task => ended.unwrap(),
                () = local.keep_time() => {}
            }
            began.elapsed()
        };
        let tasks = tokio::task::LocalSet::new();
        let took = tasks.run_until(ends_after(Box::pin(std::future::pending()))).await;
        assert!(took >= idle + TO_END && took <= idle + TO_END + 2 * TICK, "{took:?}");
        // One that is woken now and then has longer, and an end as well.
        let restless = async move {
            loop {
                tokio::time::sleep(idle / 2).await;
            }
        };
        let took = tasks.run_until(ends_after(Box::pin(restless))).await;
        let total = local.limits().stream_total;
        assert!(took >= total && took <= total + 2 * idle, "{took:?}");
        assert!(local.alarms().set.borrow().is_empty());
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
