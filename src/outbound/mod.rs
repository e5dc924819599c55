//! Everything that opens a connection to the world.

mod discovery;
mod error;
mod http;
mod key_set;
mod schedule;

pub use error::OutboundError;
pub use http::{Http, is_secure};
pub use key_set::{IssuerStatus, KeySetMonitor, KeySetRefresher, spawn_key_sets};

#[cfg(test)]
mod tests;
