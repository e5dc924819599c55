//! What goes on the request, and the only place that puts it there.

mod api_key;
mod attach;
mod bearer;
mod sigv4;

pub use api_key::{ApiKey, ApiKeyError};
pub use attach::{Attached, attach, strip};
pub use bearer::{Bearer, BearerError};
pub use sigv4::{
    AwsHost, AwsKeys, BEDROCK_RUNTIME, ClockReading, ClockSkews, ClockVerdict, Signed, Signer, SigningError,
    SigningSettings, access_key_id_of, aws_host, aws_partition, default_host, is_valid_region, signing_name,
    wrong_clock,
};
pub use sigv4::{
    CanonicalRequest, Explanation, ShownRequest, StringToSign, amz_date, shown_header, shown_query,
};

use crate::base::{Fingerprint, FingerprintKey};
use crate::request::{HeaderValue, SetHeader};

/// What goes on a request, made when it changes and shared by every request until then.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The same lines for every request.
    Lines(Lines),
    /// Keys that sign each request.
    Signer(Box<Signer>),
}

/// Header lines of one credential.
#[derive(Clone, Debug, Default)]
pub struct Lines {
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
    /// The name of this credential. Of lines: of the first one, the key itself, as it stands on a request; the others (an
    /// organization) are known to callers too, and SDKs send them.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        match self {
            Self::Lines(lines) => key.of(match lines.set.first().map(|line| &line.value) {
                Some(HeaderValue::Sensitive(secret)) => secret.expose(),
                _ => &[],
            }),
            Self::Signer(signer) => signer.keys().fingerprint(key),
        }
    }
}
