//! Why the demo cannot go on, in words for the person who started it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What stopped the demo. Nobody retries: each says what to look at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: holds files that are not the demo's; name another folder with --dir", .0.display())]
    ForeignFolder(PathBuf),
    #[error("{}: another demo runs here; stop it, or name another folder with --dir", .0.display())]
    FolderInUse(PathBuf),
    #[error("no port on 127.0.0.1 to listen on: {0}")]
    Port(io::Error),
    #[error("no Envoy found: `make demo` installs it; or put `envoy` in PATH, or name it with --envoy FILE")]
    NoEnvoy,
    #[error("{name} does not start: {source}")]
    Spawn { name: &'static str, source: io::Error },
    #[error("{name} ended ({status}); its last lines:\n{last}")]
    Died { name: &'static str, status: ExitStatus, last: String },
    #[error("{name} is not ready after {seconds} s; its last lines:\n{last}")]
    NotReady { name: &'static str, seconds: u64, last: String },
    #[error("no HTTP client: {0}")]
    Client(reqwest::Error),
    #[error("no answer: {0}")]
    NoAnswer(reqwest::Error),
    #[error("the issuer gave no token")]
    NoToken,
    #[error("no random numbers from the system")]
    NoRandomness,
}
