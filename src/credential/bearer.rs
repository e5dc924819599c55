//! A token as the provider takes it.

use bytes::Bytes;
use thiserror::Error;

use super::api_key::anthropic_version;
use super::{Credential, Lines, Listed};
use crate::base::{Secret, SecretBytes};
use crate::request::{HeaderValue, SetHeader};

/// No access token is longer.
const LONGEST: usize = 16 << 10;

/// An access token with what else the provider wants on the request beside it.
#[derive(Debug)]
pub struct Bearer<'a> {
    /// The token.
    pub token: &'a Secret<String>,
    /// `x-goog-user-project`: who pays (Vertex).
    pub user_project: Option<&'a str>,
    /// A flag of `anthropic-beta` that the token needs, beside those that the caller sends.
    pub beta: Option<&'static str>,
}

/// Why a token cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the token is empty, longer than 16 KiB, or has characters that no bearer token has (RFC 6750 section 2.1)"
)]
pub struct BearerError;

impl Bearer<'_> {
    /// The lines of the request.
    ///
    /// # Errors
    /// [`BearerError`]: the token is not used.
    pub fn credential(&self) -> Result<Credential, BearerError> {
        let token = self.token.expose();
        let body = token.trim_end_matches('=');
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if body.is_empty() || token.len() > LONGEST || !body.bytes().all(fit) {
            return Err(BearerError);
        }
        let value = HeaderValue::Sensitive(SecretBytes::new([b"Bearer ", token.as_bytes()].concat()));
        let mut set = vec![SetHeader { name: Bytes::from_static(b"authorization"), value }];
        if let Some(project) = self.user_project {
            let value = HeaderValue::Sensitive(SecretBytes::new(project.as_bytes().to_vec()));
            set.push(SetHeader { name: Bytes::from_static(b"x-goog-user-project"), value });
        }
        let listed = self.beta.map(|member| Listed { name: "anthropic-beta", member });
        let default: Vec<_> = listed.iter().map(|_| anthropic_version()).collect();
        Ok(Credential::Lines(Lines { set: set.into(), default: default.into(), listed }))
    }
}
