//! So many lines a second and no more: a flood of requests must not become a flood of lines.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets a number of events through a second and counts the others.
#[derive(Debug)]
pub struct Throttle {
    each_second: u32,
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    passed: u32,
    held: u64,
}

impl Throttle {
    /// A throttle that lets `each_second` events through.
    #[must_use]
    pub fn per_second(each_second: u32) -> Self {
        Self { each_second, window: Mutex::new(None) }
    }

    /// Whether an event at `now` passes, and if so how many were held back since the last one that did.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window.get_or_insert(Window { since: now, passed: 0, held: 0 });
        if now.saturating_duration_since(window.since) >= Duration::from_secs(1) {
            window.since = now;
            window.passed = 0;
        }
        if window.passed >= self.each_second {
            window.held += 1;
            return None;
        }
        window.passed += 1;
        Some(std::mem::take(&mut window.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock as _, SystemClock};

    #[test]
    fn what_was_held_back_is_told_with_the_next_event() {
        let start = SystemClock.now().instant;
        let throttle = Throttle::per_second(2);
        let passed: Vec<_> = (0..5).map(|_| throttle.pass(start)).collect();
        assert_eq!(passed, [Some(0), Some(0), None, None, None]);
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), Some(3));
    }
}
