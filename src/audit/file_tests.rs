//! Tests of `file.rs`, on real files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    (folder, path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn lines_are_appended_to_a_file_that_is_the_owner_s_alone() {
    let (_folder, path) = folder();
    append(&path, b"{1}\n").unwrap();
    append(&path, b"{2}\n{3}\n").unwrap();
    assert_eq!(text(&path), "{1}\n{2}\n{3}\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_was_moved_away_gets_no_more_lines() {
    let (folder, path) = folder();
    append(&path, b"{1}\n").unwrap();
    let old = folder.path().join("audit.jsonl.1");
    fs::rename(&path, &old).unwrap();
    append(&path, b"{2}\n").unwrap();
    assert_eq!((text(&old), text(&path)), ("{1}\n".to_owned(), "{2}\n".to_owned()));
    fs::remove_file(&path).unwrap();
    append(&path, b"{3}\n").unwrap();
    assert_eq!(text(&path), "{3}\n");
}

#[test]
fn half_a_line_that_was_left_there_does_not_swallow_the_next() {
    let (_folder, path) = folder();
    fs::write(&path, "{1}\n{\"ev").unwrap();
    append(&path, b"{2}\n").unwrap();
    assert_eq!(text(&path), "{1}\n{\"ev\n{2}\n");
}

#[test]
fn what_a_failed_write_left_is_taken_back_unless_others_wrote_on() {
    let (_folder, path) = folder();
    fs::write(&path, "{1}\n{\"ev").unwrap();
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    take_back(&file, 4, 5);
    assert_eq!(text(&path), "{1}\n{\"ev", "somebody else wrote");
    take_back(&file, 4, 4);
    assert_eq!(text(&path), "{1}\n");
    assert_eq!(file.metadata().unwrap().size(), 4);
}

#[test]
fn what_is_no_file_is_an_error_and_nobody_waits_for_it() {
    let (folder, path) = folder();
    assert_eq!(append(folder.path(), b"{}\n"), Err(SinkError::NoFile));
    let missing = folder.path().join("missing").join("audit.jsonl");
    assert_eq!(append(&missing, b"{}\n"), Err(SinkError::Open(io::ErrorKind::NotFound)));
    // A pipe that nobody reads would hold up whoever opens it.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(append(&path, b"{}\n"), Err(SinkError::NoFile));
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let (folder, _) = folder();
    let full = folder.path().join("full");
    symlink("/dev/full", &full).unwrap();
    assert_eq!(append(&full, b"{}\n"), Err(SinkError::Write(io::ErrorKind::StorageFull)));
}

#[test]
fn files_of_one_configuration_have_names_of_their_own() {
    let settings = [SinkSettings::File("a".into()), SinkSettings::Stdout, SinkSettings::File("b".into())];
    let names: Vec<_> = sinks(&settings).iter().map(|sink| sink.name().to_owned()).collect();
    assert_eq!(names, ["file", "stdout", "file_2"]);
}
