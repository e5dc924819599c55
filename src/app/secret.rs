//! Reads the entries' secrets into their handles.

use crate::base::{Fault, Severity};
use crate::config::{Config, CredentialSettings, ProviderEntry};
use crate::secrets::FileSecrets;
use crate::token::{Handle, Rotation, SecretFault, load_static};

/// Reads the secret of `entry` into `handle`; what is in use stays where it cannot be used.
pub(super) fn load(
    entry: &ProviderEntry,
    handle: &Handle,
    store: &FileSecrets,
) -> Result<Rotation, SecretFault> {
    match &entry.credential {
        CredentialSettings::ApiKey { credential_ref, placement } => {
            load_static(handle, store, credential_ref, entry.provider.kind, placement)
        }
    }
}

/// What is wrong with the secrets right now, as warnings: a server starts without them and takes them when they come.
#[must_use]
pub fn secret_faults(config: &Config) -> Vec<Fault> {
    let store = FileSecrets::new(config.store.root.clone());
    let faults = config.providers.iter().filter_map(|entry| {
        let fault = load(entry, &Handle::default(), &store).err()?;
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
