//! Tests of `watch.rs`.

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
    let mut echoes = 0;
    while timeout(Duration::from_millis(100), watcher.changed()).await.is_ok() {
        echoes += 1;
        assert!(echoes < 50, "our own reads wake us");
    }
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
