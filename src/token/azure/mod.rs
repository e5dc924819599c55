//! Microsoft Entra: an application's secret, its certificate, a federated token, a managed identity.

mod certificate;
mod entra;
mod hints;
mod managed_identity;

use std::path::PathBuf;
use std::sync::Arc;

use super::{
    AzureSettings, AzureWorkload, KeyFault, Material, MaterialFault, Outward, SecretFault, SourceError,
    TokenSource,
};
use crate::base::Secret;
use certificate::Certificate;
use entra::{Entra, Proof};
pub(super) use hints::hint;
use managed_identity::ManagedIdentity;

/// Names of the legs in records.
const ENTRA: &str = "token endpoint";
const MANAGED_IDENTITY: &str = "managed identity";

/// What proves that an application is itself, by the keys of its secret.
const PROOFS: &str = "client_secret, certificate, federated_token_file";

/// The source that `material` is for; without a secret, the identity of where this runs.
///
/// # Errors
/// [`SecretFault`] says what to mend.
pub(super) fn source(
    settings: &AzureSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    if let (true, Some(workload)) = (material.name().is_empty(), &settings.workload) {
        let AzureWorkload { tenant_id, client_id, token_file } = workload;
        let proof = Proof::Federated(token_file.clone());
        return entra(settings, material, outward, (tenant_id, client_id), proof);
    }
    let client_id = material.find("client_id");
    let (tenant_id, proof) = (material.find("tenant_id"), proof(material)?);
    match (tenant_id, client_id, proof) {
        (None, _, None) => {
            let client_id = match client_id {
                Some(id) => Some(client(material, id.expose())?),
                None => None,
            };
            Ok(Arc::new(ManagedIdentity::new(settings, client_id, outward)?))
        }
        // A tenant is of no use to a managed identity: what was meant to stand beside it is missing.
        (Some(_), _, None) => Err(material.lacks(PROOFS)),
        (None, _, Some(_)) => Err(material.lacks("tenant_id")),
        (Some(_), None, Some(_)) => Err(material.lacks("client_id")),
        (Some(tenant_id), Some(client_id), Some(proof)) => {
            entra(settings, material, outward, (tenant_id.expose(), client_id.expose()), proof)
        }
    }
}

/// Whether the answer to a managed identity may be another one later: 404 until the machine has its identity
/// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#retry-guidance>).
pub(super) fn is_passing(leg: &str, status: u16) -> bool {
    leg == MANAGED_IDENTITY && matches!(status, 404 | 410 | 429)
}

fn proof(material: &Material) -> Result<Option<Proof>, SecretFault> {
    let (secret, file) = (material.find("client_secret"), material.find("federated_token_file"));
    let (certificate, key) = (material.find("certificate"), material.find("private_key"));
    let of_certificate = certificate.is_some() || key.is_some();
    if [secret.is_some(), file.is_some(), of_certificate].iter().filter(|there| **there).count() > 1 {
        return Err(SecretFault::Several { name: material.name().to_owned(), keys: PROOFS });
    }
    Ok(match (secret, file, certificate, key) {
        (Some(secret), ..) => Some(Proof::Secret(secret.clone())),
        (_, Some(file), ..) => Some(Proof::Federated(path(material, file)?)),
        (_, _, Some(certificate), Some(key)) => {
            let certificate = Certificate::new(certificate, key).map_err(|fault| {
                let name = material.name().to_owned();
                match fault {
                    MaterialFault::Certificate => SecretFault::Certificate { name },
                    _ => SecretFault::PrivateKey { name },
                }
            })?;
            Some(Proof::Certificate(certificate))
        }
        (_, _, Some(_), None) => return Err(material.lacks("private_key")),
        (_, _, None, Some(_)) => return Err(material.lacks("certificate")),
        (None, None, None, None) => None,
    })
}

fn entra(
    settings: &AzureSettings,
    material: &Material,
    outward: &Outward,
    (tenant_id, client_id): (&str, &str),
    proof: Proof,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    // It becomes a part of the path.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if tenant_id.len() > 253 || !tenant_id.bytes().all(plain) || tenant_id.bytes().all(|byte| byte == b'.') {
        return Err(SecretFault::Key {
            name: material.name().to_owned(),
            key: "tenant_id",
            what: KeyFault::Tenant,
        });
    }
    let client_id = client(material, client_id)?;
    Ok(Arc::new(Entra::new(settings, tenant_id, client_id, proof, outward)))
}

fn client(material: &Material, id: &str) -> Result<String, SecretFault> {
    let fit = !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fit {
        return Ok(id.to_owned());
    }
    Err(SecretFault::Key { name: material.name().to_owned(), key: "client_id", what: KeyFault::ClientId })
}

fn path(material: &Material, file: &Secret<String>) -> Result<PathBuf, SecretFault> {
    let path = PathBuf::from(file.expose());
    if path.is_absolute() {
        return Ok(path);
    }
    let key = "federated_token_file";
    Err(SecretFault::Key { name: material.name().to_owned(), key, what: KeyFault::Path })
}

#[cfg(test)]
mod tests;
