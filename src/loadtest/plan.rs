//! What is to be done.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// A server, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: Address,
    /// What.
    pub protocol: Protocol,
    /// None: in plain text.
    pub tls: Option<Tls>,
}

/// Which of Envoy's two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A stream a request.
    ExtProc,
    /// A call a request.
    ExtAuthz,
}

/// Files for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust, PEM.
    pub ca: PathBuf,
    /// What to show, PEM chain and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Whom to expect, where it is not the host of the address.
    pub server_name: Option<String>,
}

/// When the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each stream asks again as soon as it has its answer: the server sets the pace.
    Closed,
    /// So many a second, whatever the server does. Times count from when a request was due, so that one that had to wait for
    /// those before it is as slow as it was for its caller (no coordinated omission).
    Open {
        /// Requests a second.
        rate: f64,
    },
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So many requests.
    Requests(u64),
    /// So long.
    Elapsed(Duration),
}

/// A load.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whom to ask.
    pub target: Target,
    /// How fast.
    pub pace: Pace,
    /// HTTP/2 connections; Envoy opens one a worker.
    pub connections: usize,
    /// Concurrent streams over all connections: all in use in a closed loop, the most in an open one.
    pub streams: usize,
    /// Of the generator, one core each; no more than there are connections.
    pub threads: usize,
    /// Asked but not measured.
    pub warm_up: Duration,
    /// How much is measured.
    pub until: Until,
    /// An answer that takes longer is none.
    pub patience: Duration,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
