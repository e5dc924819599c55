//! One task that waits for the next deadline of all entries, and the runtime on which their exchanges run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedRwLockWriteGuard, RwLock};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::lanes::Lanes;
use crate::base::Clock;

/// What has a deadline.
pub(super) trait Due: Send + Sync {
    /// The deadline has come, or one that was replaced since.
    fn due(self: Arc<Self>, at: std::time::Instant);
}

/// The background side of every entry. Ends with its last owner.
pub struct Refresher {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lanes: Lanes,
    /// Read by each exchange as long as it runs.
    pub(super) running: Arc<RwLock<()>>,
    runtime: Handle,
    deadlines: Arc<Deadlines>,
    task: AbortHandle,
}

/// No exchange runs, and none begins as long as this is held.
#[derive(Debug)]
pub struct Rest {
    _all: OwnedRwLockWriteGuard<()>,
}

#[derive(Default)]
struct Deadlines {
    heap: Mutex<BinaryHeap<Reverse<Deadline>>>,
    sooner: Notify,
}

struct Deadline {
    at: std::time::Instant,
    who: Weak<dyn Due>,
}

impl Refresher {
    /// Starts it on the current runtime, on which all exchanges will run.
    #[must_use]
    pub fn start(clock: Arc<dyn Clock>) -> Arc<Self> {
        let deadlines = Arc::new(Deadlines::default());
        let task = tokio::spawn(Arc::clone(&deadlines).keep(Arc::clone(&clock))).abort_handle();
        Arc::new(Self {
            clock,
            lanes: Lanes::default(),
            running: Arc::default(),
            runtime: Handle::current(),
            deadlines,
            task,
        })
    }

    /// Resolves when the exchanges that run have landed; from the call on none begins. What a server does before it goes: an
    /// answer that is on its way may hold the only refresh token that is still good.
    pub async fn rest(&self) -> Rest {
        Rest { _all: Arc::clone(&self.running).write_owned().await }
    }

    /// Calls `who` at `at`, once for each call of this.
    pub(super) fn schedule(&self, at: std::time::Instant, who: Weak<dyn Due>) {
        let mut heap = self.deadlines.lock();
        let first = heap.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.push(Reverse(Deadline { at, who }));
        drop(heap);
        if first {
            self.deadlines.sooner.notify_one();
        }
    }

    /// Runs `work` on the background runtime, whoever asks.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}

impl Deadlines {
    async fn keep(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            let next = loop {
                let now = clock.now().instant;
                let due = {
                    let mut heap = self.lock();
                    match heap.peek() {
                        Some(Reverse(first)) if first.at <= now => heap.pop(),
                        Some(Reverse(first)) => break Some(first.at),
                        None => break None,
                    }
                };
                if let Some(Reverse(Deadline { at, who })) = due
                    && let Some(who) = who.upgrade()
                {
                    who.due(at);
                }
            };
            match next {
                Some(at) => tokio::select! {
                    () = sleep_until(Instant::from_std(at)) => {}
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BinaryHeap<Reverse<Deadline>>> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher").field("deadlines", &self.deadlines.lock().len()).finish_non_exhaustive()
    }
}
