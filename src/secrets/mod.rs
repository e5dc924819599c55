//! Where long-lived material lies: a directory in the layout of mounted Kubernetes Secrets. And who sees it change.

mod file;
mod watch;

pub use file::FileSecrets;
pub use watch::Watcher;

use crate::base::Secret;

/// A store of named secrets with named values.
pub trait SecretSource: Send + Sync {
    /// The value of `key` in the secret `name`, one trailing newline dropped; none when the secret has no such key.
    ///
    /// # Errors
    /// [`ReadError`] when the secret is not there or cannot be read.
    fn read(&self, name: &str, key: &str) -> Result<Option<Secret<String>>, ReadError>;
}

/// A store that takes a value back: a refresh token that another one replaces.
pub trait SecretSink: SecretSource {
    /// Puts `value` in the place of `key` in the secret `name`, whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`]: the old value is still there.
    fn write(&self, name: &str, key: &str, value: &[u8]) -> Result<(), WriteError>;
}

/// Why a value could not be written. Holds a path, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be written: {kind}")]
pub struct WriteError {
    /// The file.
    pub path: String,
    /// What the system said.
    pub kind: std::io::ErrorKind,
}

/// Why a value could not be read. Holds paths, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum ReadError {
    #[error("{name:?} is not the name of a secret or a key")]
    Name { name: String },
    #[error("{path} is not there")]
    Missing { path: String },
    #[error("{path} cannot be read: {kind}")]
    Io { path: String, kind: std::io::ErrorKind },
    #[error("{path} is larger than 64 KiB")]
    TooLarge { path: String },
    #[error("{path} is not UTF-8")]
    NotText { path: String },
}
