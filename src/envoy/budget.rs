//! Room for bodies: `limits.body_memory`, shared by every stream and check that holds one.
//!
//! All the room that a body can need is taken at once and before the body comes, so that nobody who has some waits for more:
//! whoever waits, waits for others to finish.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted in.
const KIB: usize = 1 << 10;

/// The room that there is.
#[derive(Debug)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    all: u32,
}

/// Room that was taken. It is given back when this goes, on whichever way out.
#[derive(Debug)]
pub(super) struct Room {
    _kib: OwnedSemaphorePermit,
}

impl Budget {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let places = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(places)), all }
    }

    /// Room for a body of so many bytes, if there is some now and nobody waits for it.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Room> {
        let taken = Arc::clone(&self.free).try_acquire_many_owned(self.kib(bytes));
        Some(Room { _kib: taken.ok()? })
    }

    /// The same, waiting for it in turn and not longer than `patience`.
    pub(super) fn take(
        &self,
        bytes: usize,
        patience: Duration,
    ) -> impl Future<Output = Option<Room>> + Send + 'static {
        let taken = Arc::clone(&self.free).acquire_many_owned(self.kib(bytes));
        async move {
            let taken = tokio::time::timeout(patience, taken).await.ok()?;
            Some(Room { _kib: taken.ok()? })
        }
    }

    /// Never more than all there is: who asks for that has it alone, and does not wait for ever.
    fn kib(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).min(self.all)
    }
}

#[cfg(test)]
impl Budget {
    /// Bytes that are free.
    pub(super) fn free(&self) -> usize {
        self.free.available_permits() * KIB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_for_it_and_not_for_ever() {
        let budget = Budget::new(16 * MIB);
        let (first, second) = (budget.try_take(10 * MIB).unwrap(), budget.try_take(6 * MIB).unwrap());
        assert!(budget.try_take(1).is_none());
        assert!(budget.take(1, Duration::from_millis(400)).await.is_none());
        let waiting = tokio::spawn(budget.take(8 * MIB, Duration::from_secs(1)));
        tokio::task::yield_now().await;
        drop(second);
        assert!(budget.try_take(1).is_none(), "what is free is kept for the one who came first");
        drop(first);
        let room = waiting.await.unwrap();
        assert!(room.is_some());
        assert_eq!(budget.free(), 8 * MIB);
        drop(room);
        assert_eq!(budget.free(), 16 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_takes_nothing_along() {
        let budget = Budget::new(4 * MIB);
        let held = budget.try_take(3 * MIB).unwrap();
        drop(budget.take(2 * MIB, Duration::from_secs(1)));
        assert!(budget.take(2 * MIB, Duration::from_millis(1)).await.is_none());
        assert!(budget.try_take(MIB).is_some());
        drop(held);
        assert_eq!(budget.free(), 4 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_body_has_room_alone_even_where_it_is_larger_than_all() {
        let budget = Budget::new(MIB);
        let room = budget.try_take(5 * MIB).unwrap();
        assert!(budget.try_take(1).is_none());
        drop(room);
        assert!(budget.try_take(usize::MAX).is_some());
    }
}
