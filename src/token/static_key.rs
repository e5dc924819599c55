//! API keys: read from the secret store, checked once, made into header lines.

use super::{Handle, SecretFault, expires_at};
use crate::base::Secret;
use crate::credential::{ApiKey, Credential};
use crate::provider::{ApiKeyPlacement, ProviderKind};
use crate::request::{HeaderValue, SetHeader};
use crate::secrets::{ReadError, SecretSource};

/// The spellings of the key's key that are in use.
const KEYS: [&str; 3] = ["api_key", "apiKey", "api-key"];
const KEYS_TEXT: &str = "api_key, apiKey, api-key";

/// So often a secret is read until two readings agree.
const READINGS: usize = 4;

/// What became of a provider's credential when its secret was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// There was none before.
    First,
    /// It is another one now.
    Rotated,
    /// It is the same.
    Unchanged,
}

/// Reads the fields of `auth_type: api_key` under `name`.
///
/// # Errors
/// [`SecretFault`] says what to mend; the credential in use stays.
pub fn read_api_key(source: &dyn SecretSource, name: &str) -> Result<ApiKey, SecretFault> {
    let mut key = fields(source, name)?;
    // Fields are read one by one: a swap in between would marry the new key to the old project.
    for _ in 1..READINGS {
        let again = fields(source, name)?;
        let agree = same_fields(&key, &again);
        key = again;
        if agree {
            break;
        }
    }
    Ok(key)
}

/// Reads the secret `name` and, where it changed, puts the credential made of it into `handle`.
///
/// # Errors
/// [`SecretFault`] says what to mend; the credential in `handle` stays.
pub fn load_static(
    handle: &Handle,
    source: &dyn SecretSource,
    name: &str,
    kind: ProviderKind,
    placement: &ApiKeyPlacement,
) -> Result<Rotation, SecretFault> {
    let credential = read_api_key(source, name)?
        .credential(kind, placement)
        .map_err(|what| SecretFault::Unusable { name: name.to_owned(), what })?;
    let rotation = match handle.current() {
        None => Rotation::First,
        Some(current) if same(&current, &credential) => return Ok(Rotation::Unchanged),
        Some(_) => Rotation::Rotated,
    };
    handle.rotate(credential);
    Ok(rotation)
}

fn fields(source: &dyn SecretSource, name: &str) -> Result<ApiKey, SecretFault> {
    let mut key = None;
    for spelling in KEYS {
        match (field(source, name, spelling)?, &key) {
            (Some(found), None) => key = Some(found),
            (Some(found), Some(other)) if found != *other => {
                return Err(SecretFault::Ambiguous { name: name.to_owned(), keys: KEYS_TEXT });
            }
            _ => {}
        }
    }
    let key = key.ok_or_else(|| SecretFault::NoKey { name: name.to_owned(), keys: KEYS_TEXT })?;
    let end = field(source, name, "expires_at")?;
    let expires_at = end
        .map(|end| {
            expires_at::parse(end.expose().trim_ascii())
                .ok_or_else(|| SecretFault::ExpiresAt { name: name.to_owned() })
        })
        .transpose()?;
    let organization = field(source, name, "organization")?;
    let project = field(source, name, "project")?;
    Ok(ApiKey { key, organization, project, expires_at })
}

fn field(source: &dyn SecretSource, name: &str, key: &str) -> Result<Option<Secret<String>>, SecretFault> {
    let secret = name.to_owned();
    source.read(name, key).map_err(|error| match error {
        ReadError::Name { .. } => SecretFault::Name { name: secret },
        ReadError::Missing { path } => SecretFault::Missing { name: secret, path },
        ReadError::Io { path, kind } => SecretFault::Read { name: secret, path, kind },
        ReadError::TooLarge { .. } | ReadError::NotText { .. } => {
            SecretFault::NotText { name: secret, key: key.to_owned() }
        }
    })
}

fn same_fields(a: &ApiKey, b: &ApiKey) -> bool {
    a.key == b.key
        && a.organization == b.organization
        && a.project == b.project
        && a.expires_at == b.expires_at
}

/// Whether both put the same lines on a request for the same time. Secret values are compared in constant time.
fn same(a: &Credential, b: &Credential) -> bool {
    a.expires_at == b.expires_at && same_lines(&a.set, &b.set) && same_lines(&a.default, &b.default)
}

fn same_lines(a: &[SetHeader], b: &[SetHeader]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && same_value(&a.value, &b.value))
}

fn same_value(a: &HeaderValue, b: &HeaderValue) -> bool {
    match (a, b) {
        (HeaderValue::Sensitive(a), HeaderValue::Sensitive(b)) => a == b,
        (HeaderValue::Plain(a), HeaderValue::Plain(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
#[path = "static_key_tests.rs"]
mod tests;
