//! Everything that opens a connection to the world.

mod address;
mod clients;
mod discovery;
mod error;
mod http;
mod key_set;
mod request;
mod schedule;
mod tls;

pub use address::{Reach, is_secure};
pub use discovery::token_endpoint;
pub use error::{OutboundError, TlsFile};
pub use http::Http;
pub use key_set::{IssuerStatus, KeySetMonitor, KeySetRefresher, spawn_key_sets};
pub use request::{Request, Response};
pub use tls::{ClientIdentity, ClientTls};

#[cfg(test)]
mod tests;
