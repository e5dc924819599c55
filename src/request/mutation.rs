//! What Envoy is to do with the request's headers.

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::base::SecretBytes;

/// A header value on its way to the wire. Secret values look like any other here but print as nothing.
#[derive(Clone)]
pub enum HeaderValue {
    /// Not secret (`anthropic-version`).
    Plain(Bytes),
    /// A credential, or part of one.
    Sensitive(SecretBytes),
}

/// One header to set, over whatever the caller sent.
#[derive(Clone, Debug)]
pub struct SetHeader {
    /// Lower-case name; shared with the configuration.
    pub name: Bytes,
    /// Its value.
    pub value: HeaderValue,
}

/// Removals and settings. A name in `set` is removed first where the protocol removes first; see `envoy/`.
#[derive(Debug, Default)]
pub struct HeaderMutation<'a> {
    /// Names to take away, spelled as the request spells them: text, as bytes.
    pub remove: SmallVec<[&'a [u8]; 4]>,
    /// Headers to set.
    pub set: SmallVec<[SetHeader; 1]>,
}

impl HeaderValue {
    /// The bytes that Envoy is to put on the request. Called where the answer is encoded, nowhere else.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text,
            Self::Sensitive(secret) => secret.expose(),
        }
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "{text:?}"),
            Self::Sensitive(secret) => secret.fmt(f),
        }
    }
}
