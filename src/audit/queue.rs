//! Events that wait for their sink, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::SinkStatus;

/// Bounds of what waits for one sink.
pub(super) const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// So much is written at once.
const BATCH: usize = 64 << 10;

/// What waits for one sink.
pub(super) struct Queue {
    name: String,
    waiting: Mutex<Waiting>,
    /// There is something to write, or nothing more will come.
    pub(super) changed: Notify,
    written: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// What is there is written, and that was it.
    Closing,
    /// Nothing is taken any more.
    Closed,
}

/// What a writer is to do.
pub(super) enum Work {
    /// Write these lines.
    Lines { text: Bytes, count: usize },
    /// Wait for [`Queue::changed`].
    Wait,
    /// There is nothing, and nothing will come.
    End,
}

impl Queue {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            waiting: Mutex::default(),
            changed: Notify::new(),
            written: AtomicU64::default(),
            failed: AtomicU64::default(),
            lost: AtomicU64::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a line, or says how many were lost by now.
    pub(super) fn push(&self, line: Arc<str>) -> Result<(), u64> {
        let mut waiting = self.waiting();
        let fits = waiting.lines.len() < MOST_EVENTS && waiting.bytes + line.len() <= MOST_BYTES;
        if !fits || waiting.state == State::Closed {
            drop(waiting);
            return Err(self.lost.fetch_add(1, Ordering::Relaxed) + 1);
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The oldest lines. They stay until [`Queue::delivered`].
    pub(super) fn work(&self) -> Work {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() {
            if waiting.state == State::Open {
                return Work::Wait;
            }
            waiting.state = State::Closed;
            return Work::End;
        }
        let (mut text, mut count) = (BytesMut::new(), 0);
        for line in &waiting.lines {
            if count > 0 && text.len() + line.len() > BATCH {
                break;
            }
            text.extend_from_slice(line.as_bytes());
            count += 1;
        }
        Work::Lines { text: text.freeze(), count }
    }

    /// The oldest `count` lines are written.
    pub(super) fn delivered(&self, count: usize) {
        let mut waiting = self.waiting();
        let bytes: usize = waiting.lines.drain(..count).map(|line| line.len()).sum();
        waiting.bytes -= bytes;
        drop(waiting);
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// An attempt failed.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// What is there is the last.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        if waiting.state == State::Open {
            waiting.state = State::Closing;
        }
        drop(waiting);
        self.changed.notify_one();
    }

    pub(super) fn is_open(&self) -> bool {
        self.waiting().state == State::Open
    }

    /// Whatever waits is lost. Says how much that is.
    pub(super) fn give_up(&self) -> usize {
        let mut waiting = self.waiting();
        waiting.state = State::Closed;
        waiting.bytes = 0;
        let lost = std::mem::take(&mut waiting.lines).len();
        drop(waiting);
        self.lost.fetch_add(lost as u64, Ordering::Relaxed);
        lost
    }

    pub(super) fn status(&self) -> SinkStatus {
        SinkStatus {
            name: self.name.clone(),
            written: self.written.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            pending: self.waiting().lines.len(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
