//! API keys: read from the secret store, checked once, made into header lines.

use super::SecretFault;
use crate::credential::ApiKey;
use crate::secrets::SecretSource;

/// Reads the fields of `auth_type: api_key` under `name`.
///
/// # Errors
/// [`SecretFault`] says what to mend; the credential in use stays.
pub fn read_api_key(_source: &dyn SecretSource, _name: &str) -> Result<ApiKey, SecretFault> {
    todo!()
}
