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
