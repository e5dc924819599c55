//! Keeps the issuers' key sets fresh in the background: discovery, JWKS, backoff, and a brake for unknown kids.

use std::sync::Arc;

use super::Http;
use crate::identity::Callers;

/// Asks for a refresh of one issuer's keys and lets a request wait for it.
#[derive(Clone, Debug)]
pub struct KeySetRefresher {}

/// Starts one task an issuer on the current runtime; they end when the last clone of the returned handle is dropped.
#[must_use]
pub fn spawn_key_sets(_callers: Arc<Callers>, _http: Http) -> KeySetRefresher {
    todo!()
}

impl KeySetRefresher {
    /// Asks for a refresh because a token names an unknown key. Resolves to `true` once a fetch that began after the
    /// call has put a set in place, and at once to `false` when the issuer was asked less than 30 s ago.
    pub async fn refreshed(&self, _issuer: usize) -> bool {
        todo!()
    }
}
