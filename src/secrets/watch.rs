//! Sees that files change: configuration, provider entries and secrets alike. Kernel events for speed, a poll as the
//! net below them (network file systems, a link into another folder, a root that was not there yet).

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

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
    let made = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    /// Far below the poll, far above the kernel: what is seen in this time was seen by an event.
    const SOON: Duration = Duration::from_secs(5);

    async fn seen(watcher: &mut Watcher, what: &str) {
        assert!(timeout(SOON, watcher.changed()).await.is_ok(), "not seen: {what}");
    }

    /// Lets the echoes of the last change pass.
    async fn settle(watcher: &mut Watcher) {
        while timeout(Duration::from_millis(100), watcher.changed()).await.is_ok() {}
    }

    #[tokio::test]
    async fn every_way_to_change_a_secret_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("secrets");
        let folder = root.join("openai");
        fs::create_dir_all(folder.join("..1")).unwrap();
        fs::write(folder.join("..1/api_key"), "a").unwrap();
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/api_key", folder.join("api_key")).unwrap();
        fs::write(folder.join("plain"), "a").unwrap();
        let mut watcher = Watcher::new(vec![root.clone()]);

        fs::write(folder.join("plain"), "b").unwrap();
        seen(&mut watcher, "a rewrite").await;
        settle(&mut watcher).await;

        fs::write(folder.join("new"), "c").unwrap();
        fs::rename(folder.join("new"), folder.join("plain")).unwrap();
        seen(&mut watcher, "a rename over it").await;
        settle(&mut watcher).await;

        for round in 2..4 {
            let version = folder.join(format!("..{round}"));
            fs::create_dir(&version).unwrap();
            fs::write(version.join("api_key"), "b").unwrap();
            settle(&mut watcher).await;
            symlink(format!("..{round}"), folder.join("..tmp")).unwrap();
            fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
            seen(&mut watcher, "a swap of ..data").await;
            settle(&mut watcher).await;
        }

        fs::create_dir(root.join("later")).unwrap();
        seen(&mut watcher, "a new secret").await;
        settle(&mut watcher).await;
        fs::write(root.join("later/api_key"), "x").unwrap();
        seen(&mut watcher, "a key in a new secret").await;
        settle(&mut watcher).await;

        fs::remove_dir_all(&root).unwrap();
        seen(&mut watcher, "the root deleted").await;
        settle(&mut watcher).await;
        fs::create_dir_all(&folder).unwrap();
        seen(&mut watcher, "the root made again").await;
        settle(&mut watcher).await;
        fs::write(folder.join("api_key"), "d").unwrap();
        seen(&mut watcher, "a file in the root made again").await;
    }

    #[tokio::test]
    async fn a_file_is_seen_through_links_and_its_neighbours_are_not() {
        let home = tempfile::tempdir().unwrap();
        let (mount, elsewhere) = (home.path().join("mount"), home.path().join("elsewhere"));
        fs::create_dir_all(mount.join("..1")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(mount.join("..1/bouncer.yaml"), "a").unwrap();
        symlink("..1", mount.join("..data")).unwrap();
        symlink("..data/bouncer.yaml", mount.join("bouncer.yaml")).unwrap();
        fs::write(elsewhere.join("real.yaml"), "a").unwrap();
        symlink(elsewhere.join("real.yaml"), mount.join("linked.yaml")).unwrap();
        let mut watcher = Watcher::new(vec![mount.join("bouncer.yaml"), mount.join("linked.yaml")]);

        fs::write(mount.join("audit.jsonl"), "noise").unwrap();
        fs::read(mount.join("bouncer.yaml")).unwrap();
        assert!(timeout(Duration::from_millis(200), watcher.changed()).await.is_err());

        fs::create_dir(mount.join("..2")).unwrap();
        fs::write(mount.join("..2/bouncer.yaml"), "b").unwrap();
        settle(&mut watcher).await;
        symlink("..2", mount.join("..tmp")).unwrap();
        fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
        seen(&mut watcher, "a swap of ..data beside the file").await;
        settle(&mut watcher).await;

        fs::write(elsewhere.join("real.yaml"), "b").unwrap();
        seen(&mut watcher, "a rewrite behind a link").await;
    }

    #[tokio::test]
    async fn a_burst_is_few_reports_and_its_last_change_is_in_them() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("bouncer.yaml");
        let mut watcher = Watcher::new(vec![file.clone()]);
        let writer = std::thread::spawn({
            let file = file.clone();
            move || (0..500).for_each(|n| fs::write(&file, format!("{n:03}")).unwrap())
        });
        let (mut reports, mut last) = (0, String::new());
        while last != "499" {
            seen(&mut watcher, "the last write").await;
            reports += 1;
            last = fs::read_to_string(&file).unwrap();
        }
        writer.join().unwrap();
        assert!(reports <= 50, "{reports}");
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("bouncer.yaml");
        let mut watcher = Watcher::new(vec![file.clone()]);
        fs::write(&file, "a").unwrap();
        // Ends between the event and the end of the burst.
        while !watcher.pending {
            let _ = timeout(Duration::from_millis(1), watcher.changed()).await;
        }
        seen(&mut watcher, "the change of the dropped wait").await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_kernel_events_the_poll_sees_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("secrets");
        let (sender, events) = mpsc::channel(1);
        let mut watcher = Watcher::polling(vec![root.clone()], sender, events);
        for (what, change) in [("made", "mkdir"), ("written", "1"), ("rewritten", "22")] {
            if change == "mkdir" {
                fs::create_dir(&root).unwrap();
            } else {
                fs::write(root.join("key"), change).unwrap();
            }
            let before = Instant::now();
            assert!(timeout(2 * POLL, watcher.changed()).await.is_ok(), "not seen: {what}");
            assert!(before.elapsed() <= POLL + Duration::from_secs(1));
        }
        assert!(timeout(10 * POLL, watcher.changed()).await.is_err(), "nothing changed");
    }
}
