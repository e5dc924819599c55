//! What is wrong with the secrets of a configuration.

use crate::base::{Fault, Severity};
use crate::config::{Config, CredentialSettings, ProviderEntry};
use crate::secrets::FileSecrets;
use crate::token::{Material, SecretFault, read_api_key};

/// What is wrong with the secrets right now, as warnings: a server starts without them and takes them when they come.
#[must_use]
pub fn secret_faults(config: &Config) -> Vec<Fault> {
    let store = FileSecrets::new(config.store.root.clone());
    let faults = config.providers.iter().filter_map(|entry| {
        let fault = read(entry, &store).err()?;
        Some(Fault {
            severity: Severity::Warning,
            place: None,
            path: format!("provider {}", entry.provider.name),
            what: fault.to_string(),
            allowed: None,
        })
    });
    faults.collect()
}

fn read(entry: &ProviderEntry, store: &FileSecrets) -> Result<(), SecretFault> {
    match &entry.credential {
        CredentialSettings::ApiKey { credential_ref: name, placement } => read_api_key(store, name)?
            .credential(entry.provider.kind, placement)
            .map(|_fit| ())
            .map_err(|what| SecretFault::Unusable { name: name.clone(), what }),
        CredentialSettings::Token(settings) => match &settings.secret {
            Some(name) => Material::read(store, name).map(|_whole| ()),
            None => Ok(()),
        },
    }
}
