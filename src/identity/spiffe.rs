//! SPIFFE IDs, compared by trust domain and path segment, never by prefix of the text.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// A trust domain: `[a-z0-9._-]`, 1 to 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomain(Arc<str>);

/// `spiffe://<trust domain>/<path>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    trust_domain: TrustDomain,
}

/// Why a text is no SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a SPIFFE ID")]
pub struct SpiffeIdError;

impl TrustDomain {
    /// Reads the bare name, `mesh.example`.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > 255 || !text.bytes().all(allowed) {
            return Err(SpiffeIdError);
        }
        Ok(Self(Arc::from(text)))
    }
}
