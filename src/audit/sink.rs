//! Where lines go.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use thiserror::Error;

/// Takes whole lines. One real form a kind of place; tests have theirs.
pub trait AuditSink: Send + Sync {
    /// Its name in metrics and the log.
    fn name(&self) -> &str;

    /// Appends `lines`, all or none of them as far as it can. After an error the same lines come again.
    fn append(&self, lines: Bytes) -> Appending<'_>;
}

/// Lines on their way.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// Why lines are not there. Each is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum SinkError {
    #[error("cannot be opened: {0}")]
    Open(io::ErrorKind),
    #[error("is neither a file nor a character device")]
    NoFile,
    #[error("cannot be written: {0}")]
    Write(io::ErrorKind),
    #[error("the writer broke off")]
    Broken,
}
