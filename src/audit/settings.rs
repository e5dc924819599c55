//! The section `audit`: valid by construction.

use std::path::PathBuf;

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// Each event goes to all of them; none where the section is not there.
    pub sinks: Vec<SinkSettings>,
    /// Name of the secret whose `key` makes the fingerprints; none: a key of this process alone.
    pub fingerprint_key: Option<String>,
}

/// One place for events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSettings {
    /// Lines are appended to it.
    File(PathBuf),
    /// The process's stdout.
    Stdout,
}
