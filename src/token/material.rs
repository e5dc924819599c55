//! The long-lived material of a token source, read from the secret store as one piece.

use super::SecretFault;
use super::static_key::field;
use crate::base::Secret;
use crate::secrets::SecretSource;

/// Every key that a secret of a token source may have (INTERFACE section 2).
const KEYS: [&str; 18] = [
    "client_id",
    "client_secret",
    "private_key",
    "key_id",
    "certificate",
    "refresh_token",
    "tenant_id",
    "federated_token_file",
    "service_account.json",
    "external_account.json",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "role_arn",
    "external_id",
    "session_name",
    "region",
    "web_identity_token_file",
];

/// So often a secret is read until two readings agree.
const READINGS: usize = 4;

/// What a secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    name: String,
    fields: Vec<(&'static str, Secret<String>)>,
}

impl Material {
    /// Reads the secret `name`.
    ///
    /// # Errors
    /// [`SecretFault`] says what to mend.
    pub fn read(source: &dyn SecretSource, name: &str) -> Result<Self, SecretFault> {
        let mut found = Self::once(source, name)?;
        // Fields are read one by one: a swap in between would marry the new key to the old client.
        for _ in 1..READINGS {
            let again = Self::once(source, name)?;
            let agree = found == again;
            found = again;
            if agree {
                break;
            }
        }
        Ok(found)
    }

    fn once(source: &dyn SecretSource, name: &str) -> Result<Self, SecretFault> {
        let mut fields = Vec::new();
        for key in KEYS {
            if let Some(value) = field(source, name, key)? {
                fields.push((key, value));
            }
        }
        Ok(Self { name: name.to_owned(), fields })
    }

    /// The name of the secret; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of `key`, which is not empty.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Secret<String>> {
        self.fields
            .iter()
            .find(|(name, value)| *name == key && !value.expose().is_empty())
            .map(|(_, value)| value)
    }

    /// The first of `keys` that is there and empty: what should have been written there is missing.
    #[must_use]
    pub fn blank(&self, keys: &[&'static str]) -> Option<&'static str> {
        let blank = self.fields.iter().filter(|(_, value)| value.expose().is_empty());
        blank.map(|(name, _)| *name).find(|name| keys.contains(name))
    }

    /// The same without `key`, to compare what else changed.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let fields = self.fields.iter().filter(|(name, _)| *name != key).cloned().collect();
        Self { name: self.name.clone(), fields }
    }

    /// Whether it has a refresh token.
    #[must_use]
    pub fn is_refreshed(&self) -> bool {
        self.find("refresh_token").is_some()
    }

    /// The fault of having none of `keys`.
    #[must_use]
    pub fn lacks(&self, keys: &'static str) -> SecretFault {
        if self.name.is_empty() {
            SecretFault::NoSecret { keys }
        } else {
            SecretFault::NoKey { name: self.name.clone(), keys }
        }
    }

    #[cfg(test)]
    pub(super) fn of(name: &str, fields: impl IntoIterator<Item = (&'static str, Secret<String>)>) -> Self {
        Self { name: name.to_owned(), fields: fields.into_iter().collect() }
    }
}
