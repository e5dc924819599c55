//! What happened to credentials, for the record: one JSON object an event, to files or stdout.
//!
//! ```text
//! Audit::record ──> Queue, one a sink, bounded ──> writer task ──> AuditSink: whole lines, retried until they are there
//! ```
//!
//! An event is in its queues before the credential that it speaks of is put to use. Nothing waits for a sink: a queue that
//! is full loses the newest event, counts it and says so in the log.

mod event;
mod file;
mod id;
mod queue;
mod record;
mod settings;
mod sink;
mod writer;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

pub use self::event::{Event, RefreshFailed, Rotated, Subject};
pub use self::id::Id;
use self::queue::Queue;
pub use self::settings::{AuditSettings, SinkSettings};
pub use self::sink::{Appending, AuditSink, SinkError};
use crate::base::Clock;

/// Takes events. One for the process.
pub struct Audit {
    clock: Arc<dyn Clock>,
    bouncer_id: String,
    queues: Box<[Arc<Queue>]>,
    /// By position in [`Event::NAMES`].
    events: [AtomicU64; Event::NAMES.len()],
    writers: Mutex<JoinSet<()>>,
}

/// How a sink stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStatus {
    /// The sink's name in metrics and the log.
    pub name: String,
    /// Events that were written.
    pub written: u64,
    /// Attempts to write that failed. The events of a failed attempt are tried again.
    pub failed: u64,
    /// Events that were given up.
    pub lost: u64,
    /// Events that wait.
    pub pending: usize,
}

impl Audit {
    /// Starts the writers of `settings` on the current runtime.
    #[must_use]
    pub fn start(settings: &AuditSettings, clock: Arc<dyn Clock>) -> Self {
        Self::to(file::sinks(&settings.sinks), clock)
    }

    /// The same to these sinks.
    #[must_use]
    pub fn to(sinks: Vec<Box<dyn AuditSink>>, clock: Arc<dyn Clock>) -> Self {
        let mut writers = JoinSet::new();
        let queues = sinks.into_iter().map(|sink| {
            let queue = Arc::new(Queue::new(sink.name().to_owned()));
            writers.spawn(writer::keep(Arc::clone(&queue), sink));
            queue
        });
        let queues = queues.collect();
        // The name of the host, in Kubernetes that of the Pod.
        let bouncer_id = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { clock, bouncer_id, queues, events: Default::default(), writers: Mutex::new(writers) }
    }

    /// Takes an event into the queue of every sink. `correlation` is the same for all that belongs together. Waits for nothing.
    pub fn record(&self, event: &Event<'_>, subject: Subject<'_>, correlation: Id) {
        if self.queues.is_empty() {
            return;
        }
        if let Some(count) = self.events.get(event.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let millis = self.clock.unix_millis();
        let head = record::Head { id: Id::new(millis), millis, correlation, bouncer_id: &self.bouncer_id };
        let Some(line) = record::line(&head, subject, event) else { return };
        for queue in &self.queues {
            if let Err(lost) = queue.push(Arc::clone(&line)) {
                // A flood of losses must not become a flood of lines: the first, the second, the fourth, ….
                if lost.is_power_of_two() {
                    tracing::error!(
                        sink = queue.name(),
                        event = event.name(),
                        id = %head.id,
                        provider = subject.provider,
                        lost,
                        "the audit sink's queue is full: the event is lost"
                    );
                }
            }
        }
    }

    /// A name for events that belong together.
    #[must_use]
    pub fn correlation(&self) -> Id {
        Id::new(self.clock.unix_millis())
    }

    /// Has everything written that waits, but takes no longer than `within`; what is not written then is lost. Events that come
    /// after it are lost as well.
    pub async fn close(&self, within: Duration) {
        let mut writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        self.queues.iter().for_each(|queue| queue.close());
        let all = async { while writers.join_next().await.is_some() {} };
        let _in_time = tokio::time::timeout(within, all).await;
        for queue in &self.queues {
            let lost = queue.give_up();
            if lost > 0 {
                tracing::error!(
                    sink = queue.name(),
                    lost,
                    "audit events could not be written before the end"
                );
            }
        }
    }

    /// How many events of each name were taken.
    pub fn events(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Event::NAMES.into_iter().zip(self.events.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// How the sinks stand.
    #[must_use]
    pub fn status(&self) -> Vec<SinkStatus> {
        self.queues.iter().map(|queue| queue.status()).collect()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("sinks", &self.status()).finish_non_exhaustive()
    }
}
