//! Sees that files change: configuration, provider entries and secrets alike. Kernel events for speed, a poll as the
//! net below them (network file systems, a link into another folder, a root that was not there yet).

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use crate::base::behind_requests;

/// A burst of events is over when nothing happened for this long.
const QUIET: Duration = Duration::from_millis(20);

/// A burst is reported at the latest after so many of these, also while it goes on.
const QUIETS: u32 = 10;

/// How often the files are compared without any event.
const POLL: Duration = Duration::from_secs(10);

/// Bounds of one comparison, so that a root set to `/` by mistake costs little.
const MAX_ENTRIES: usize = 10_000;
const MAX_DEPTH: usize = 6;

/// Watches files and folders. Make it before the first read of what it watches: then no change falls in between.
#[derive(Debug)]
pub struct Watcher {
    roots: Vec<PathBuf>,
    kernel: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    // Kept so that `events` never ends, also without the kernel's help.
    _sender: mpsc::Sender<()>,
    poll: Interval,
    seen: u64,
    pending: bool,
}

impl Watcher {
    /// Watches `roots`, files or folders with all below them, there or not there yet. Needs a tokio runtime.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        let (sender, events) = mpsc::channel(1);
        let roots: Vec<_> = roots.iter().map(|root| absolute(root)).collect();
        let kernel = kernel(roots.clone(), sender.clone());
        let mut watcher = Self::polling(roots, sender, events);
        watcher.kernel = kernel;
        watcher.arm();
        // Only now: what changed before the kernel watched is in here, what changes later is an event.
        watcher.seen = fingerprint(&watcher.roots);
        watcher
    }

    fn polling(roots: Vec<PathBuf>, sender: mpsc::Sender<()>, events: mpsc::Receiver<()>) -> Self {
        let mut poll = interval_at(Instant::now() + POLL, POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = fingerprint(&roots);
        Self { roots, kernel: None, events, _sender: sender, poll, seen, pending: false }
    }

    /// Resolves after something changed, once a burst of changes. A change during or after the call is never lost:
    /// it resolves this call or the next. Safe to drop and call again. Now and then it resolves without a change.
    pub async fn changed(&mut self) {
        while !self.pending {
            tokio::select! {
                _ = self.events.recv() => self.pending = true,
                _ = self.poll.tick() => {
                    self.arm();
                    let now = self.look().await;
                    self.pending = now != self.seen;
                    self.seen = now;
                }
            }
        }
        for _ in 0..QUIETS {
            sleep(QUIET).await;
            if self.events.try_recv().is_err() {
                break;
            }
        }
        // A folder that was made again is another folder to the kernel.
        self.arm();
        self.seen = self.look().await;
        self.pending = false;
    }

    /// Asks the kernel for events of all roots, again where it already does.
    fn arm(&mut self) {
        let Some(kernel) = &mut self.kernel else { return };
        let mut folders = BTreeMap::new();
        for root in &self.roots {
            if root.is_dir() {
                folders.insert(root.clone(), RecursiveMode::Recursive);
            }
            // The parent tells when the root itself is replaced; a link's target may lie in a third folder.
            for file in [Some(root.clone()), root.canonicalize().ok()].into_iter().flatten() {
                if let Some(parent) = file.parent() {
                    folders.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
                }
            }
        }
        for (folder, mode) in folders {
            if let Err(error) = kernel.watch(&folder, mode) {
                // Not fatal: the poll still sees what happens there.
                tracing::debug!(folder = %folder.display(), kind = ?error.kind, "no file events");
            }
        }
    }

    async fn look(&self) -> u64 {
        let roots = self.roots.clone();
        tokio::task::spawn_blocking(move || fingerprint(&roots)).await.unwrap_or(self.seen)
    }
}

fn kernel(roots: Vec<PathBuf>, sender: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let first = Once::new();
    let made = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        // On a thread of its own, which is told of each file that we read ourselves.
        first.call_once(behind_requests);
        // An error may stand for lost events. A full channel already holds what this would say.
        if event.map_or(true, |event| is_change(&event, &roots)) {
            let _ = sender.try_send(());
        }
    });
    match made {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(kind = ?error.kind, "no file events from the kernel; files are compared every 10 s");
            None
        }
    }
}

/// Reading is no change: our own reads would wake us for ever. Nor is what happens to neighbours of a root.
fn is_change(event: &Event, roots: &[PathBuf]) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(|path| concerns(path, roots))
}

fn concerns(path: &Path, roots: &[PathBuf]) -> bool {
    // `..data` and its like: swapped beside a file that is a link through it.
    let of_kubernetes = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
    of_kubernetes
        || roots.iter().any(|root| {
            path.starts_with(root) || root.starts_with(path) || root.canonicalize().is_ok_and(|to| path == to)
        })
}

/// The path from `/`, without `.` and without following links.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// A hash of what `stat` says of everything below the roots. Not of the contents: those stay unread.
fn fingerprint(roots: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = MAX_ENTRIES;
    for root in roots {
        note(root, 0, &mut left, &mut hasher);
    }
    hasher.finish()
}

fn note(path: &Path, depth: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    if *left == 0 || depth > MAX_DEPTH {
        return;
    }
    *left -= 1;
    path.hash(hasher);
    let Ok(stat) = std::fs::metadata(path) else { return };
    (stat.dev(), stat.ino(), stat.len(), stat.mode()).hash(hasher);
    (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec()).hash(hasher);
    if stat.is_dir() {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        let mut entries: Vec<_> = entries.take(MAX_ENTRIES).flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            note(&entry, depth + 1, left, hasher);
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
