//! When the next request is sent.
//!
//! In an open loop each request has its place in time whatever the server does: it is handed to the next stream that is free,
//! and where none is, it waits in the books. What is due is therefore only a number.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::plan::{Pace, Plan, Until};

/// Hands out the requests of one generator.
pub(super) struct Pacer {
    pace: Pace,
    /// When the first is due.
    start: Instant,
    /// From when on it is measured.
    zero: Instant,
    /// Nothing is due from then on.
    end: Option<Instant>,
    /// How many are measured at most.
    most: u64,
    /// Requests so far, of these the measured ones.
    taken: Cell<u64>,
    measured: Cell<u64>,
    /// Open loop: how many are due by now.
    released: Cell<u64>,
    over: Cell<bool>,
    idle: Cell<usize>,
    free: Notify,
}

/// A generator among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) of: usize,
}

impl Part {
    /// Its part of `all`; the first ones have what cannot be divided.
    pub(super) fn share(self, all: usize) -> usize {
        all / self.of + usize::from(self.index < all % self.of)
    }
}

impl Pacer {
    /// The load of `part`, from `start` on.
    pub(super) fn new(plan: &Plan, part: Part, start: Instant) -> Self {
        let zero = start + plan.warm_up;
        let (end, most) = match plan.until {
            Until::Elapsed(time) => (Some(zero + time), u64::MAX),
            Until::Requests(all) => {
                let (index, of) = (part.index as u64, part.of as u64);
                (None, all / of + u64::from(index < all % of))
            }
        };
        let (pace, start) = match plan.pace {
            Pace::Closed => (Pace::Closed, start),
            // The parts take turns.
            Pace::Open { rate } => {
                let turn = Duration::try_from_secs_f64(part.index as f64 / rate).unwrap_or_default();
                (Pace::Open { rate: rate / part.of as f64 }, start + turn)
            }
        };
        Self {
            pace,
            start,
            zero,
            end,
            most,
            taken: Cell::new(0),
            measured: Cell::new(0),
            released: Cell::new(0),
            over: Cell::new(false),
            idle: Cell::new(0),
            free: Notify::new(),
        }
    }

    /// From when on it is measured.
    pub(super) fn zero(&self) -> Instant {
        self.zero
    }

    /// Waits for the next request.
    ///
    /// # Returns
    /// Its number, and when it was due; none when it is enough.
    pub(super) async fn next(&self) -> Option<(u64, Instant)> {
        loop {
            match self.pace {
                Pace::Closed => {
                    let now = Instant::now();
                    return self.take(now).map(|number| (number, now));
                }
                Pace::Open { .. } if self.taken.get() < self.released.get() => {
                    let due = self.due(self.taken.get());
                    return self.take(due).map(|number| (number, due));
                }
                Pace::Open { .. } if self.over.get() => return None,
                Pace::Open { .. } => {
                    self.idle.set(self.idle.get() + 1);
                    self.free.notified().await;
                    self.idle.set(self.idle.get().saturating_sub(1));
                }
            }
        }
    }

    /// Open loop: lets each request go when it is due. Ends with the last.
    pub(super) async fn release(&self, mut alarm: Alarm) {
        loop {
            let mut now = Instant::now();
            let next = self.due(self.released.get());
            if self.is_enough(next, self.released.get()) {
                break;
            }
            if next > now {
                alarm.until(next).await;
                now = Instant::now();
            }
            let mut released = self.released.get();
            loop {
                let due = self.due(released);
                if due > now || self.is_enough(due, released) {
                    break;
                }
                released += 1;
                // Those that are busy look by themselves.
                if released - self.taken.get() <= self.idle.get() as u64 {
                    self.free.notify_one();
                }
            }
            self.released.set(released);
            // The streams have their turn, however far behind this is.
            tokio::task::yield_now().await;
        }
        self.over.set(true);
        self.free.notify_waiters();
    }

    fn take(&self, due: Instant) -> Option<u64> {
        if self.end.is_some_and(|end| due >= end) {
            return None;
        }
        if due >= self.zero {
            if self.measured.get() >= self.most {
                return None;
            }
            self.measured.set(self.measured.get() + 1);
        }
        let number = self.taken.get();
        self.taken.set(number + 1);
        Some(number)
    }

    /// Whether the request with this number would be one too many.
    fn is_enough(&self, due: Instant, number: u64) -> bool {
        let Pace::Open { rate } = self.pace else { return true };
        let before = self.zero.saturating_duration_since(self.start).as_secs_f64() * rate;
        self.end.is_some_and(|end| due >= end) || number as f64 >= before.ceil() + self.most as f64
    }

    fn due(&self, number: u64) -> Instant {
        match self.pace {
            Pace::Closed => self.start,
            Pace::Open { rate } => {
                let after = Duration::try_from_secs_f64(number as f64 / rate);
                self.start + after.unwrap_or(Duration::MAX / 4)
            }
        }
    }
}
