//! The task behind a sink: the oldest lines first, again and again until they are there.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::AuditSink;
use super::queue::{Queue, Work};

/// After the first failure; doubles with each one more.
const FIRST: Duration = Duration::from_millis(250);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Writes what comes into `queue` until it is closed and empty.
pub(super) async fn keep(queue: Arc<Queue>, sink: Box<dyn AuditSink>) {
    let (mut failures, mut lost) = (0, 0);
    loop {
        let (text, count) = match queue.work() {
            Work::Lines { text, count } => (text, count),
            Work::Wait => {
                queue.changed.notified().await;
                continue;
            }
            Work::End => return,
        };
        match sink.append(text).await {
            Ok(()) => {
                queue.delivered(count);
                if failures > 0 {
                    let status = queue.status();
                    let lost = status.lost - std::mem::replace(&mut lost, status.lost);
                    tracing::warn!(sink = queue.name(), lost, "the audit sink takes events again");
                }
                failures = 0;
            }
            Err(error) => {
                queue.failed();
                if failures == 0 {
                    tracing::error!(sink = queue.name(), %error, "the audit sink takes no events; they wait");
                }
                failures += 1;
                wait(&queue, pause(failures)).await;
            }
        }
    }
}

/// Waits `long`, but not while everybody waits for the end.
async fn wait(queue: &Queue, long: Duration) {
    let end = Instant::now() + long;
    while queue.is_open() {
        // What comes meanwhile wakes this up as well.
        if timeout_at(end, queue.changed.notified()).await.is_err() {
            return;
        }
    }
    sleep(long.min(FIRST)).await;
}

fn pause(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST)
}
