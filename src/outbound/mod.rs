//! Everything that opens a connection to the world.

mod error;
mod http;
mod key_set;

pub use error::OutboundError;
pub use http::Http;
pub use key_set::{KeySetRefresher, spawn_key_sets};
