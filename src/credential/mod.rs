//! What goes on the request, and the only place that puts it there.

mod api_key;
mod attach;
mod bearer;

pub use api_key::{ApiKey, ApiKeyError};
pub use attach::{attach, strip};
pub use bearer::{Bearer, BearerError};

use crate::base::{Fingerprint, FingerprintKey};
use crate::request::{HeaderValue, SetHeader};

/// Header lines of one credential, made when it changes and shared by every request until then.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Lines that are always set, the key itself first.
    pub set: Box<[SetHeader]>,
    /// Lines that are set only where the caller sent none (`anthropic-version`).
    pub default: Box<[SetHeader]>,
    /// What is added to a list that the caller may have begun.
    pub listed: Option<Listed>,
}

/// A member of a header's comma-separated list (`anthropic-beta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Lower-case name of the header.
    pub name: &'static str,
    /// The member.
    pub member: &'static str,
}

impl Credential {
    /// The name of this credential: of its first line, the key itself, as it stands on a request. The others (an
    /// organization) are known to callers too, and SDKs send them.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        key.of(match self.set.first().map(|line| &line.value) {
            Some(HeaderValue::Sensitive(secret)) => secret.expose(),
            _ => &[],
        })
    }
}
