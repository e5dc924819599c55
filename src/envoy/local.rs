//! The server as one worker has it, and how many streams it takes at once.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

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
}

/// Whether one stream more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// `limits.max_active` are open.
    Full,
}

impl Local {
    /// For one worker.
    #[must_use]
    pub fn new(current: Arc<Current>) -> Self {
        let every = u8::try_from(current.limits().max_active / 256).unwrap_or(u8::MAX).clamp(1, 32);
        Self(Rc::new(Here { current, every, begun: Cell::new(0), full: Cell::new(false) }))
    }

    /// One stream more. [`Local::ends`] follows, whether it was taken or not.
    pub(super) fn begins(&self) -> Admission {
        let here = &*self.0;
        let metrics = here.current.metrics();
        metrics.stream_began();
        let begun = here.begun.get().wrapping_add(1);
        here.begun.set(begun);
        // The counts of other cores are far away: they are looked at now and then, and while there is no room each time.
        if here.full.get() || begun.is_multiple_of(here.every) {
            here.full.set(metrics.streams() > here.current.limits().max_active);
        }
        if here.full.get() { Admission::Full } else { Admission::Admitted }
    }

    /// One less.
    pub(super) fn ends(&self) {
        self.0.current.metrics().stream_ended();
    }
}

impl Deref for Local {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.0.current
    }
}
