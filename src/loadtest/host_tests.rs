//! Processes as a made-up and as the real `/proc` tell of them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

/// A folder as `/proc` with process 7 in it, whose name means to confuse.
fn proc(ticks: (u64, u64), started: u64, state: &str) -> TempDir {
    let proc = TempDir::new().unwrap();
    write(&proc, ticks, started, state);
    proc
}

fn write(proc: &TempDir, (user, system): (u64, u64), started: u64, state: &str) {
    let folder = proc.path().join("7");
    fs::create_dir_all(folder.join("fd")).unwrap();
    fs::write(folder.join("fd/0"), "").unwrap();
    let stat = format!(
        "7 (a) R 9 (b) {state} 1 2 3 4 5 6 7 8 9 10 {user} {system} 0 0 20 0 3 0 {started} 99 100 18446744073709551615\n"
    );
    fs::write(folder.join("stat"), stat).unwrap();
    fs::write(folder.join("status"), "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n")
        .unwrap();
}

#[test]
fn a_process_is_read_whatever_its_name() {
    let proc = proc((150, 50), 1_000, "S");
    let usage = Process::within(proc.path(), 7, 100).unwrap().usage().unwrap();
    let expected = Usage {
        cpu: Duration::from_secs(2),
        rss_bytes: 1 << 20,
        peak_rss_bytes: 2 << 20,
        threads: 3,
        descriptors: Some(1),
    };
    assert_eq!(usage, expected);
}

#[test]
fn a_process_that_is_not_there_is_told_from_one_that_ended() {
    let proc = proc((1, 1), 1_000, "S");
    assert!(matches!(Process::within(proc.path(), 8, 100), Err(HostError::None(8))));
    let process = Process::within(proc.path(), 7, 100).unwrap();
    write(&proc, (1, 1), 1_000, "Z");
    assert!(matches!(process.usage(), Err(HostError::Ended(7))));
    write(&proc, (1, 1), 2_000, "S");
    assert!(matches!(process.usage(), Err(HostError::Ended(7))), "its number was given to another");
    fs::remove_dir_all(proc.path().join("7")).unwrap();
    assert!(matches!(process.usage(), Err(HostError::Ended(7))));
}

#[test]
fn what_is_no_proc_is_not_understood() {
    let proc = proc((1, 1), 1_000, "S");
    for text in ["", "7 (a", "7 (a) S 1 2", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 1 0 0 20 0 3 0 9 1"] {
        fs::write(proc.path().join("7/stat"), text).unwrap();
        assert!(matches!(Process::within(proc.path(), 7, 100), Err(HostError::NotUnderstood(7))), "{text}");
    }
    write(&proc, (1, 1), 1_000, "S");
    fs::write(proc.path().join("7/status"), "VmRSS: 1 MB\n").unwrap();
    assert!(matches!(Process::within(proc.path(), 7, 100), Err(HostError::NotUnderstood(7))));
}

#[test]
fn this_kernel_is_understood() {
    let usage = Process::of(std::process::id()).unwrap().usage().unwrap();
    assert!(usage.rss_bytes > 1 << 20 && usage.peak_rss_bytes >= usage.rss_bytes / 2, "{usage:?}");
    assert!(usage.threads > 1 && usage.descriptors > Some(2), "{usage:?}");
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let process = Process::of(child.id()).unwrap();
    drop(child.stdin.take().map(|mut stdin| stdin.write_all(b"bye")));
    child.wait().unwrap();
    assert!(matches!(process.usage(), Err(HostError::Ended(_))));
    assert!(matches!(Process::of(child.id()), Err(HostError::None(_))));
}

#[test]
fn a_week_of_readings_is_bounded_and_keeps_its_ends() {
    let usage = |second| Usage {
        cpu: Duration::ZERO,
        rss_bytes: second,
        peak_rss_bytes: 0,
        threads: 1,
        descriptors: None,
    };
    let mut line = UsageLine::default();
    for second in 0..7 * 24 * 3_600 {
        line.add(Duration::from_secs(second), usage(second));
        assert!(line.points().len() <= MOST_POINTS);
        assert_eq!(line.points().last(), Some(&(Duration::from_secs(second), usage(second))));
    }
    let points = line.points();
    assert_eq!(points.first(), Some(&(Duration::ZERO, usage(0))));
    assert!(points.len() > MOST_POINTS / 3, "{}", points.len());
    assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
}
