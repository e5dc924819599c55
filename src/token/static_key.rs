//! API keys: read from the secret store, checked once, made into header lines.

use super::{SecretFault, expires_at};
use crate::base::{Expiry, FingerprintKey, Now, Secret};
use crate::cache::{Handle, Held};
use crate::credential::{ApiKey, Credential};
use crate::provider::{ApiKeyPlacement, ProviderKind};
use crate::request::{HeaderValue, SetHeader};
use crate::secrets::{ReadError, SecretSource};

/// The spellings of the key's key that are in use.
const KEYS: [&str; 3] = ["api_key", "apiKey", "api-key"];
const KEYS_TEXT: &str = "api_key, apiKey, api-key";

/// So often a secret is read until two readings agree.
const READINGS: usize = 4;

/// A provider's key in use, and how another one is made fit for it.
#[derive(Debug)]
pub struct StaticKey<'a> {
    /// Where it is in use.
    pub handle: &'a Handle<Credential>,
    /// For whom.
    pub kind: ProviderKind,
    /// Where on the request.
    pub placement: &'a ApiKeyPlacement,
    /// What it is called in records.
    pub fingerprints: &'a FingerprintKey,
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

/// Reads the secret `name`. None when the credential made of it is the one in use; else the caller puts it there.
///
/// # Errors
/// [`SecretFault`] says what to mend; the credential in use stays.
pub fn load_static(
    source: &dyn SecretSource,
    name: &str,
    key: &StaticKey<'_>,
    now: Now,
) -> Result<Option<Held<Credential>>, SecretFault> {
    let api_key = read_api_key(source, name)?;
    let credential = api_key
        .credential(key.kind, key.placement)
        .map_err(|what| SecretFault::Unusable { name: name.to_owned(), what })?;
    let expiry = api_key.expires_at.map(|end| Expiry::at(now, end));
    if let Some(held) = key.handle.held()
        && same(&held.value, &credential)
        && held.expiry.map(|expiry| expiry.unix()) == api_key.expires_at
    {
        return Ok(None);
    }
    let id = credential.fingerprint(key.fingerprints);
    Ok(Some(Held::new(credential, id, expiry)))
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

pub(super) fn field(
    source: &dyn SecretSource,
    name: &str,
    key: &str,
) -> Result<Option<Secret<String>>, SecretFault> {
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

/// Whether both put the same lines on a request. Secret values are compared in constant time.
fn same(a: &Credential, b: &Credential) -> bool {
    let (Credential::Lines(a), Credential::Lines(b)) = (a, b) else { return false };
    same_lines(&a.set, &b.set) && same_lines(&a.default, &b.default) && a.listed == b.listed
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
