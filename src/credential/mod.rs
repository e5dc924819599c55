//! What goes on the request, and the only place that puts it there.

mod api_key;
mod attach;
mod bearer;

pub use api_key::{ApiKey, ApiKeyError};
pub use attach::{attach, strip};
pub use bearer::{Bearer, BearerError};

use smallvec::SmallVec;

use crate::request::{HeaderValue, Headers, SetHeader};

/// Header lines of one credential, made when it changes and shared by every request until then.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Lines that are always set, the key itself first.
    pub set: SmallVec<[SetHeader; 3]>,
    /// Lines that are set only where the caller sent none (`anthropic-version`).
    pub default: SmallVec<[SetHeader; 1]>,
}

impl Credential {
    /// Whether this very credential stands among `headers`: its first line, the key. The others (an organization) are
    /// known to callers too, and SDKs send them.
    #[must_use]
    pub fn is_on(&self, headers: &Headers<'_>) -> bool {
        self.set.first().is_some_and(|key| match (&key.value, str::from_utf8(&key.name)) {
            (HeaderValue::Sensitive(secret), Ok(name)) => headers.all(name).any(|value| secret.is(value)),
            _ => false,
        })
    }
}
