//! The server as one worker has it, and how many streams it takes at once.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::alarms::Alarms;
use super::current::Current;

/// What every request of a worker holds on to: its count must not be other cores' to touch.
#[derive(Clone, Debug)]
pub struct Local(Rc<Here>);

#[derive(Debug)]
struct Here {
    current: Arc<Current>,
    /// So many streams begin between two looks at those of all workers.
    every: u8,
    begun: Cell<u8>,
    full: Cell<bool>,
    alarms: Alarms,
    /// A stream of Envoy's has begun, whose task is not there yet.
    fresh: Cell<bool>,
}

/// Whether one stream more is taken.
#[derive(Debug)]
pub(super) enum Admission {
    Admitted(Place),
    /// `limits.max_active` have their places.
    Full,
}

/// One of `limits.max_active`. A stream gives it back with its answer, whether its peer takes that or not: what is only waited
/// for then is the peer's own affair, within its `limits.max_streams`.
#[derive(Debug)]
pub(super) struct Place(Local);

impl Local {
    /// For one worker.
    #[must_use]
    pub fn new(current: Arc<Current>) -> Self {
        let every = u8::try_from(current.limits().max_active / 256).unwrap_or(u8::MAX).clamp(1, 32);
        Self(Rc::new(Here {
            current,
            every,
            begun: Cell::new(0),
            full: Cell::new(false),
            alarms: Alarms::new(),
            fresh: Cell::default(),
        }))
    }

    /// One stream more. [`Local::ends`] follows, whether it was taken or not.
    pub(super) fn begins(&self) -> Admission {
        let here = &*self.0;
        let metrics = here.current.metrics();
        metrics.stream_began();
        here.fresh.set(true);
        here.current.active().mine().fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        let begun = here.begun.get().wrapping_add(1);
        here.begun.set(begun);
        // The counts of other cores are far away: they are looked at now and then, and while there is no room each time.
        if here.full.get() || begun.is_multiple_of(here.every) {
            let active =
                here.current.active().all().map(|active| active.load(Ordering::Relaxed)).sum::<i64>();
            here.full.set(usize::try_from(active).unwrap_or(0) > here.current.limits().max_active);
        }
        if here.full.get() { Admission::Full } else { Admission::Admitted(place) }
    }

    /// Whether a stream of Envoy's has begun since this was asked last. Then the task that is made now is its: hyper makes it with
    /// the response to the call. Health's may stay for as long as they like.
    #[must_use]
    pub fn take_begun(&self) -> bool {
        self.0.fresh.take()
    }

    pub(super) fn alarms(&self) -> &Alarms {
        &self.0.alarms
    }

    /// One less.
    pub(super) fn ends(&self) {
        self.0.current.metrics().stream_ended();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.active().mine().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Local {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.0.current
    }
}
