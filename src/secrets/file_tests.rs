//! Tests of `file.rs`.

use std::cell::Cell;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn read(root: &Path, name: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
    FileSecrets::new(root.to_owned()).read(name, key)
}

fn value(text: &str) -> Result<Option<Secret<String>>, ReadError> {
    Ok(Some(Secret::new(text.to_owned())))
}

fn secret(content: &[u8]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("openai")).unwrap();
    fs::write(root.path().join("openai/api_key"), content).unwrap();
    root
}

#[test]
fn one_trailing_newline_is_dropped_and_no_more() {
    for (content, expected) in [
        ("sk-1", "sk-1"),
        ("sk-1\n", "sk-1"),
        ("sk-1\r\n", "sk-1"),
        ("sk-1\n\n", "sk-1\n"),
        ("sk-1\r", "sk-1\r"),
        (" sk-1 ", " sk-1 "),
        ("\n", ""),
        ("", ""),
    ] {
        let root = secret(content.as_bytes());
        assert_eq!(read(root.path(), "openai", "api_key"), value(expected), "{content:?}");
    }
}

#[test]
fn a_missing_key_is_none_and_a_missing_secret_is_an_error() {
    let root = secret(b"x");
    assert_eq!(read(root.path(), "openai", "apiKey"), Ok(None));
    let error = read(root.path(), "anthropic", "api_key").unwrap_err();
    assert_eq!(error, ReadError::Missing { path: shown(&root.path().join("anthropic")) });
}

#[test]
fn no_name_leads_out_of_the_root() {
    let root = secret(b"x");
    fs::write(root.path().join("outside"), "x").unwrap();
    let long = "a".repeat(254);
    for name in ["", ".", "..", "../openai", "..data", "a/b", "/etc", "a\\b", "a\0b", "a\nb", &long] {
        let refused = ReadError::Name { name: name.to_owned() };
        assert_eq!(read(root.path(), name, "api_key").unwrap_err(), refused);
        assert_eq!(read(root.path(), "openai", name).unwrap_err(), refused);
    }
}

#[test]
fn what_is_too_large_or_not_text_or_not_a_file_is_an_error_without_the_value() {
    let root = secret(&vec![b'a'; LIMIT]);
    assert_eq!(read(root.path(), "openai", "api_key"), value(&"a".repeat(LIMIT)));
    let path = shown(&root.path().join("openai/api_key"));
    let root2 = secret(&vec![b'a'; LIMIT + 1]);
    let path2 = shown(&root2.path().join("openai/api_key"));
    assert_eq!(read(root2.path(), "openai", "api_key"), Err(ReadError::TooLarge { path: path2 }));
    fs::write(root.path().join("openai/api_key"), b"hunter2\xff").unwrap();
    let error = read(root.path(), "openai", "api_key").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(error, ReadError::NotText { path });
    fs::create_dir(root.path().join("openai/folder")).unwrap();
    assert!(matches!(read(root.path(), "openai", "folder"), Err(ReadError::Io { .. })));
    // As a pipe without a writer would, this never ends.
    symlink("/dev/zero", root.path().join("openai/device")).unwrap();
    assert!(matches!(read(root.path(), "openai", "device"), Err(ReadError::Io { .. })));
}

#[test]
fn a_file_is_missing_only_when_no_swap_came_between() {
    for (swaps, found) in [(1, true), (3, true), (RETRIES + 1, false)] {
        let (reads, versions) = (Cell::new(0), Cell::new(0));
        let read = || {
            reads.set(reads.get() + 1);
            if reads.get() > swaps { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
        };
        let version = || versions.replace(versions.get() + 1);
        assert_eq!(settled(read, version).is_ok(), found, "{swaps} swaps");
        assert!(reads.get() <= RETRIES + 1);
    }
    let reads = Cell::new(0);
    let missing = || {
        reads.set(reads.get() + 1);
        io::Result::<()>::Err(ErrorKind::NotFound.into())
    };
    assert!(settled(missing, || 0).is_err());
    assert_eq!(reads.get(), 2);
}

#[test]
fn every_read_during_a_swap_of_data_finds_an_old_or_a_new_value() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("openai");
    let version = |n: usize| folder.join(format!("..{n}"));
    fs::create_dir_all(version(0)).unwrap();
    fs::write(version(0).join("api_key"), "v0").unwrap();
    symlink("..0", folder.join("..data")).unwrap();
    symlink("..data/api_key", folder.join("api_key")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..2_000 {
                // The order of kubelet's atomic writer.
                fs::create_dir(version(n)).unwrap();
                fs::write(version(n).join("api_key"), format!("v{n}")).unwrap();
                symlink(format!("..{n}"), folder.join("..tmp")).unwrap();
                fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
                fs::remove_dir_all(version(n - 1)).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let found = read(root.path(), "openai", "api_key");
            assert!(found.as_ref().is_ok_and(Option::is_some) && found != value(""), "{found:?}");
        }
    });
    assert_eq!(read(root.path(), "openai", "api_key"), value("v1999"));
}

#[test]
fn debug_shows_the_root_only() {
    let root = secret(b"hunter2");
    let source = FileSecrets::new(root.path().to_owned());
    let value = source.read("openai", "api_key").unwrap();
    assert!(!format!("{source:?} {value:?}").contains("hunter2"));
}

#[test]
fn a_value_is_replaced_whole_and_for_nobody_else_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = secret(b"old\n");
    let store = FileSecrets::new(root.path().to_owned());
    let left_behind = root.path().join(format!("openai/.api_key.{}", std::process::id()));
    fs::write(&left_behind, "half").unwrap();
    assert!(store.write("openai", "api_key", b"new").is_err(), "and the place is free then");
    assert_eq!(read(root.path(), "openai", "api_key"), value("old"));
    store.write("openai", "api_key", b"new").unwrap();
    assert_eq!(read(root.path(), "openai", "api_key"), value("new"));
    let path = root.path().join("openai/api_key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(root.path().join("openai")).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_value_that_cannot_be_written_is_an_error_with_its_path_only() {
    let root = secret(b"old");
    let store = FileSecrets::new(root.path().to_owned());
    for (name, key, kind) in [
        ("missing", "api_key", ErrorKind::NotFound),
        ("..", "api_key", ErrorKind::InvalidInput),
        ("openai", "../key", ErrorKind::InvalidInput),
        ("openai", "..data", ErrorKind::InvalidInput),
        ("openai", "", ErrorKind::InvalidInput),
    ] {
        let error = store.write(name, key, b"hunter2").unwrap_err();
        assert_eq!(error.kind, kind, "{name}/{key}");
        assert!(!format!("{error}{error:?}").contains("hunter2"));
    }
    fs::create_dir(root.path().join("openai/folder")).unwrap();
    assert!(store.write("openai", "folder", b"hunter2").is_err());
    assert_eq!(read(root.path(), "openai", "api_key"), value("old"));
}
