//! Credentials by provider: what a request takes, and who renews it.

mod error;
mod expires_at;
mod static_key;
mod store;

pub use error::{SecretFault, Unavailable};
pub use static_key::{Rotation, load_static, read_api_key};
pub use store::{Handle, Store};
