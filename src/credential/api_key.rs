//! A static API key as header lines.

use bytes::Bytes;
use smallvec::smallvec;
use thiserror::Error;

use super::Credential;
use crate::base::{Secret, SecretBytes, UnixTime};
use crate::provider::{ApiKeyPlacement, ProviderKind};
use crate::request::{HeaderValue, SetHeader};

/// The fields of a secret for `auth_type: api_key`.
#[derive(Debug)]
pub struct ApiKey {
    /// The key.
    pub key: Secret<String>,
    /// OpenAI organization, sent as `openai-organization`.
    pub organization: Option<Secret<String>>,
    /// OpenAI project, sent as `openai-project`.
    pub project: Option<Secret<String>>,
    /// When the vendor's console said that the key ends.
    pub expires_at: Option<UnixTime>,
}

/// Why a secret cannot be used as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApiKeyError {
    /// Nothing is in it.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A header cannot carry it.
    #[error("{0} has a blank, a line break or another character that no header value may have")]
    Character(&'static str),
}

impl ApiKey {
    /// The header lines for `kind`, with the key where `placement` says.
    ///
    /// # Errors
    /// [`ApiKeyError`]: the one who wrote the secret has to mend it; the key in use stays.
    pub fn credential(&self, kind: ProviderKind, placement: &ApiKeyPlacement) -> Result<Credential, ApiKeyError> {
        let mut credential = Credential {
            set: smallvec![SetHeader {
                name: Bytes::from(placement.header.clone()),
                value: sensitive("api_key", &placement.prefix, &self.key)?,
            }],
            default: smallvec![],
            expires_at: self.expires_at,
        };
        if kind == ProviderKind::OpenAi {
            for (name, field, value) in [
                ("openai-organization", "organization", &self.organization),
                ("openai-project", "project", &self.project),
            ] {
                if let Some(value) = value {
                    let value = sensitive(field, "", value)?;
                    credential.set.push(SetHeader { name: Bytes::from_static(name.as_bytes()), value });
                }
            }
        }
        if kind == ProviderKind::Anthropic {
            // Anthropic refuses a request without a version; SDKs send one, curl does not.
            let value = HeaderValue::Plain("2023-06-01");
            credential.default.push(SetHeader { name: Bytes::from_static(b"anthropic-version"), value });
        }
        Ok(credential)
    }
}

fn sensitive(field: &'static str, prefix: &str, value: &Secret<String>) -> Result<HeaderValue, ApiKeyError> {
    let value = value.expose();
    if value.is_empty() {
        return Err(ApiKeyError::Empty(field));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiKeyError::Character(field));
    }
    Ok(HeaderValue::Sensitive(SecretBytes::new([prefix.as_bytes(), value.as_bytes()].concat())))
}
