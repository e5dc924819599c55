//! What is wrong with the secrets of a configuration.

use crate::base::{Fault, Severity};
use crate::config::{Config, CredentialSettings, ProviderEntry};
use crate::secrets::FileSecrets;
use crate::token::{Material, SecretFault, read_api_key, read_fingerprint_key};

/// What is wrong with the secrets right now, as warnings: a server starts without them and takes them when they come.
#[must_use]
pub fn secret_faults(config: &Config) -> Vec<Fault> {
    let store = FileSecrets::new(config.store.root.clone());
    let key = config.audit.fingerprint_key.as_ref().and_then(|name| {
        let fault = read_fingerprint_key(&store, name).err()?;
        Some(warning("audit.fingerprint_key".to_owned(), &fault))
    });
    let faults = config.providers.iter().filter_map(|entry| {
        let fault = read(entry, &store).err()?;
        Some(warning(format!("provider {}", entry.provider.name), &fault))
    });
    faults.chain(key).collect()
}

fn warning(path: String, fault: &SecretFault) -> Fault {
    Fault { severity: Severity::Warning, place: None, path, what: fault.to_string(), allowed: None }
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
