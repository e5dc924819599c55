//! `root/<name>/<key>`: the layout of a mounted Kubernetes Secret, swapped through `..data`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use super::{ReadError, SecretSink, SecretSource, WriteError};
use crate::base::Secret;

/// No value is longer.
const LIMIT: usize = 64 << 10;

/// So many swaps may come between in a row. Kubernetes swaps once a minute at most.
const RETRIES: usize = 16;

/// Longest name of a secret or a key: what Kubernetes and the file systems allow.
const NAME_LIMIT: usize = 253;

/// A directory of secrets.
#[derive(Debug)]
pub struct FileSecrets {
    root: PathBuf,
}

impl FileSecrets {
    /// The secrets below `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl SecretSource for FileSecrets {
    fn read(&self, name: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
        for part in [name, key] {
            if !is_plain(part) {
                return Err(ReadError::Name { name: part.to_owned() });
            }
        }
        let folder = self.root.join(name);
        let path = folder.join(key);
        // `..data` lies in the secret's folder, or above it where one volume holds several secrets.
        let version = || (fs::canonicalize(&folder).ok(), fs::read_link(folder.join("..data")).ok());
        let found = settled(|| bytes(&path), version);
        match found {
            Ok(Some(value)) => text(value, &path).map(Some),
            Ok(None) => Err(ReadError::TooLarge { path: shown(&path) }),
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::metadata(&folder) {
                Ok(_) => Ok(None),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err(ReadError::Missing { path: shown(&folder) })
                }
                Err(error) => Err(ReadError::Io { path: shown(&folder), kind: error.kind() }),
            },
            Err(error) => Err(ReadError::Io { path: shown(&path), kind: error.kind() }),
        }
    }
}

impl SecretSink for FileSecrets {
    fn write(&self, name: &str, key: &str, value: &[u8]) -> Result<(), WriteError> {
        let folder = self.root.join(name);
        let path = folder.join(key);
        let written = if is_plain(name) && is_plain(key) {
            replace(&folder, key, value)
        } else {
            Err(ErrorKind::InvalidInput.into())
        };
        written.map_err(|error| WriteError { path: shown(&path), kind: error.kind() })
    }
}

/// Writes beside `key` and renames: whoever reads sees the old value or the new one, also after a crash.
fn replace(folder: &Path, key: &str, value: &[u8]) -> io::Result<()> {
    let new = folder.join(format!(".{key}.{}", std::process::id()));
    let written = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(value)?;
        file.sync_all()?;
        fs::rename(&new, folder.join(key))?;
        File::open(folder)?.sync_all()
    };
    let result = written();
    if result.is_err() {
        // Also one that an earlier process of this number left behind: the next attempt finds its place free.
        let _ = fs::remove_file(&new);
    }
    result
}

/// Whether `part` names one entry of a folder, and none of Kubernetes' own (`..data`).
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= NAME_LIMIT
        && part != "."
        && !part.starts_with("..")
        && !part.chars().any(|c| matches!(c, '/' | '\\') || c.is_control())
}

/// What `read` finds; a file is not there only when no swap of `..data` came between, as `version` tells.
fn settled<T, V: PartialEq>(read: impl Fn() -> io::Result<T>, version: impl Fn() -> V) -> io::Result<T> {
    // A path may have been followed into the old version just as that was deleted: then there is a new one by now.
    let mut found = read();
    for _ in 0..RETRIES {
        if !found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            break;
        }
        let before = version();
        found = read();
        if version() == before {
            break;
        }
    }
    found
}

/// The content; none when it is longer than [`LIMIT`].
fn bytes(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Opening a pipe would wait for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(if metadata.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput }.into());
    }
    // One allocation for good: a vector that grows leaves copies of the secret behind.
    let mut value = Zeroizing::new(Vec::with_capacity(LIMIT + 64));
    File::open(path)?.take(LIMIT as u64 + 1).read_to_end(&mut value)?;
    Ok((value.len() <= LIMIT).then_some(value))
}

fn text(mut value: Zeroizing<Vec<u8>>, path: &Path) -> Result<Secret<String>, ReadError> {
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    match str::from_utf8(&value) {
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => {
            value.zeroize();
            Err(ReadError::NotText { path: shown(path) })
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
