//! A static API key as header lines.

use bytes::Bytes;
use thiserror::Error;

use super::{Credential, Lines};
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
    pub fn credential(
        &self,
        kind: ProviderKind,
        placement: &ApiKeyPlacement,
    ) -> Result<Credential, ApiKeyError> {
        let mut set = vec![SetHeader {
            name: Bytes::from(placement.header.clone()),
            value: sensitive("api_key", &placement.prefix, &self.key)?,
        }];
        if kind == ProviderKind::OpenAi {
            for (name, field, value) in [
                ("openai-organization", "organization", &self.organization),
                ("openai-project", "project", &self.project),
            ] {
                if let Some(value) = value {
                    let value = sensitive(field, "", value)?;
                    set.push(SetHeader { name: Bytes::from_static(name.as_bytes()), value });
                }
            }
        }
        let default = match kind {
            ProviderKind::Anthropic => Box::new([anthropic_version()]) as Box<[SetHeader]>,
            _ => Box::default(),
        };
        Ok(Credential::Lines(Lines { set: set.into(), default, listed: None }))
    }
}

/// Anthropic refuses a request without a version; SDKs send one, curl does not.
pub(super) fn anthropic_version() -> SetHeader {
    let value = HeaderValue::Plain(Bytes::from_static(b"2023-06-01"));
    SetHeader { name: Bytes::from_static(b"anthropic-version"), value }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(credential: Credential) -> Lines {
        match credential {
            Credential::Lines(lines) => lines,
            Credential::Signer(_) => panic!("a key signs nothing"),
        }
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn key(text: &str) -> ApiKey {
        ApiKey { key: secret(text), organization: None, project: None, expires_at: Some(UnixTime(7)) }
    }

    #[track_caller]
    fn check(kind: ProviderKind, key: &ApiKey, expected: &[(&str, &str)]) {
        let credential = lines(key.credential(kind, &kind.api_key_placement()).unwrap());
        let lines: Vec<_> = credential
            .set
            .iter()
            .map(|set| {
                (
                    String::from_utf8(set.name.to_vec()).unwrap(),
                    String::from_utf8(set.value.wire().to_vec()).unwrap(),
                )
            })
            .collect();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(lines, expected);
        assert!(
            credential.set.iter().all(|set| matches!(set.value, HeaderValue::Sensitive(_))),
            "a key is never plain"
        );
        assert_eq!(!credential.default.is_empty(), kind == ProviderKind::Anthropic);
    }

    #[test]
    fn each_provider_has_its_own_header() {
        check(ProviderKind::OpenAi, &key("k"), &[("authorization", "Bearer k")]);
        check(ProviderKind::AzureOpenAi, &key("k"), &[("api-key", "k")]);
        check(ProviderKind::Anthropic, &key("k"), &[("x-api-key", "k")]);
        check(ProviderKind::Custom, &key("k"), &[("authorization", "Bearer k")]);
    }

    #[test]
    fn organization_and_project_go_to_openai_only() {
        let key = ApiKey { organization: Some(secret("o")), project: Some(secret("p")), ..key("k") };
        let all = [("authorization", "Bearer k"), ("openai-organization", "o"), ("openai-project", "p")];
        check(ProviderKind::OpenAi, &key, &all);
        check(ProviderKind::Custom, &key, &[("authorization", "Bearer k")]);
    }

    #[test]
    fn a_custom_provider_places_the_key_where_it_wants() {
        let placement = ApiKeyPlacement { header: "x-llm-key".to_owned(), prefix: "Token ".to_owned() };
        let credential = lines(key("k").credential(ProviderKind::Custom, &placement).unwrap());
        assert_eq!(credential.set[0].name, "x-llm-key");
        assert_eq!(credential.set[0].value.wire(), b"Token k");
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_and_not_shown() {
        let refused =
            |key: &ApiKey| key.credential(ProviderKind::OpenAi, &ApiKeyPlacement::bearer()).unwrap_err();
        assert_eq!(refused(&key("")), ApiKeyError::Empty("api_key"));
        for text in ["sk 1", "sk-1\n", "sk-1\r\nx: y", "\0", "sk-é", "\u{7f}", "sk-1\t"] {
            let error = refused(&key(text));
            assert_eq!(error, ApiKeyError::Character("api_key"), "{text:?}");
            assert!(!error.to_string().contains("sk"));
        }
        let organization = ApiKey { organization: Some(secret("a b")), ..key("k") };
        assert_eq!(refused(&organization), ApiKeyError::Character("organization"));
        let project = ApiKey { project: Some(secret("")), ..key("k") };
        assert_eq!(refused(&project), ApiKeyError::Empty("project"));
    }
}
