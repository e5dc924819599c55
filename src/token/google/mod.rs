//! Google Cloud: a service account's key, workload identity federation, the machine's metadata server.

mod aws_metadata;
mod aws_request;
mod document;
mod external_account;
mod federation;
mod hints;
mod hosts;
mod key_source;
mod metadata;
mod service_account;
mod subject;
mod subject_source;

use std::sync::Arc;

use url::Url;

use super::{
    GoogleSettings, KeyFault, Legs, Material, Origin, Outward, SecretFault, SourceError, SourceErrorKind,
    TokenSource,
};
use external_account::ExternalAccount;
use federation::Federation;
pub(super) use hints::hint;
use hosts::Hosts;
use key_source::KeySource;
use metadata::MetadataServer;
use service_account::ServiceAccount;

/// Names of the legs in records.
const KEY: &str = "service account key";
const SUBJECT: &str = "subject token";
const AWS: &str = "aws metadata";
const STS: &str = "security token service";
const IMPERSONATION: &str = "impersonation";
const METADATA: &str = "metadata server";

/// The keys of a secret, one of which is the credential.
const SERVICE_ACCOUNT: &str = "service_account.json";
const EXTERNAL_ACCOUNT: &str = "external_account.json";

/// The source that `material` is for; without any, the service account that is attached to where this runs.
///
/// # Errors
/// [`SecretFault`] says what to mend.
pub(super) fn source(
    settings: &GoogleSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    let name = || material.name().to_owned();
    let fault = |key| move |what| SecretFault::Key { name: material.name().to_owned(), key, what };
    let hosts = Hosts { extra: &settings.allowed_token_hosts };
    let payer = settings.user_project.as_deref();
    Ok(match (material.find(SERVICE_ACCOUNT), material.find(EXTERNAL_ACCOUNT)) {
        (Some(_), Some(_)) => {
            let keys = "service_account.json, external_account.json";
            return Err(SecretFault::Several { name: name(), keys });
        }
        (Some(text), None) => {
            let fault = fault(SERVICE_ACCOUNT);
            let account = ServiceAccount::parse(text.expose(), hosts, payer).map_err(fault)?;
            Arc::new(KeySource::new(account, settings, outward).map_err(fault)?)
        }
        (None, Some(text)) => {
            let account = ExternalAccount::parse(text.expose(), hosts, payer);
            Arc::new(Federation::new(account.map_err(fault(EXTERNAL_ACCOUNT))?, settings, outward))
        }
        (None, None) if material.name().is_empty() => Arc::new(MetadataServer::new(settings, outward)),
        // A secret was named for its credential: another identity in its place would be a surprise.
        (None, None) => {
            return Err(material.lacks("service_account.json, external_account.json"));
        }
    })
}

/// The answer of `leg` cannot be used.
fn call_failed(leg: &'static str, url: &Url, kind: SourceErrorKind, legs: &mut Legs) -> SourceError {
    legs.failed();
    SourceError::new(leg, Some(Origin::of(url)), kind)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
