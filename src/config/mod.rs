//! The configuration: text to tree to valid types, every fault with its place.

mod settings;
mod words;
mod quantity;
mod wire;
mod environment;
mod place;
mod tree;
mod raw;
mod schema;
mod structure;
mod limits;
mod mfa;
mod listen;
mod callers;
mod audit;
mod matches;
mod entry;
mod files;
mod read;
pub mod report;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use quantity::{DURATION, SIZE, duration, size};
pub use read::{from_text, load};
pub use schema::schema;
pub use settings::{
    AdminSettings, Config, CredentialSettings, Feedback, FileStore, Limits, Listen, ListenAddress,
    OnNoProvider, ProviderEntry, ServerTls,
};

/// Where the configuration lies when nobody says otherwise: `$BOUNCER_CONFIG`, else `/etc/bouncer/bouncer.yaml`.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "config is one of the rooms that may read the environment")]
pub fn default_path() -> PathBuf {
    let named = std::env::var_os("BOUNCER_CONFIG").filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from("/etc/bouncer/bouncer.yaml"), PathBuf::from)
}
