//! `azure_ad`: Microsoft Entra. Which credential it is, the secret says; without one, the machine.

use url::Url;

use super::parameters;
use crate::config::environment::{AzureEnvironment, Environment};
use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::{self, url, url_or};
use crate::provider::ProviderKind;
use crate::token::{AzureSettings, AzureWorkload};

const AUTHORITY: &str = "https://login.microsoftonline.com";
const MANAGED_IDENTITY: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// Reads `azure_ad` and `scopes`. None is told.
pub(super) fn azure(
    raw: &raw::Provider,
    kind: ProviderKind,
    environment: &Environment,
    at: &At<'_>,
) -> Option<AzureSettings> {
    let own_at = at.key("azure_ad");
    let own = raw.azure_ad.as_ref();
    // A secret that is named says all of the identity; else the environment of the pod does.
    let ambient = raw.credential_ref.is_none() && !at.key("credential_ref").was_skipped();
    let environment = ambient.then_some(&environment.azure);
    let authority = authority(
        own.and_then(|own| own.authority_host.as_deref()),
        environment.and_then(|environment| environment.authority_host.as_deref()),
        &own_at.key("authority_host"),
    );
    let managed_identity = url_or(
        own.and_then(|own| own.managed_identity_endpoint.as_deref()),
        MANAGED_IDENTITY,
        &own_at.key("managed_identity_endpoint"),
    );
    let workload = environment.map(|environment| workload(environment, at));
    let scopes = scopes(raw, kind, authority.as_ref(), &at.key("scopes"));
    if own_at.was_skipped() {
        return None;
    }
    Some(AzureSettings {
        authority: authority?,
        scopes: scopes?,
        managed_identity: managed_identity?,
        workload: match workload {
            Some(workload) => workload?,
            None => None,
        },
    })
}

/// The authority without a path: the tenant stands in the secret.
fn authority(text: Option<&str>, environment: Option<&str>, at: &At<'_>) -> Option<Url> {
    let authority = match (text, environment) {
        (Some(text), _) => url(text, at)?,
        (None, _) if at.was_skipped() => return None,
        (None, Some(text)) => wire::parse(text)
            .map_err(|what| at.fault(format!("$AZURE_AUTHORITY_HOST {what}"), wire::URLS.to_owned()))
            .ok()?,
        (None, None) => Url::parse(AUTHORITY).ok()?,
    };
    if authority.path() == "/" {
        return Some(authority);
    }
    at.fault("has a path: the tenant stands in the secret", format!("scheme and host alone, as {AUTHORITY}"));
    None
}

/// The identity that a pod on AKS has. None in Some: it has none, and the machine's is asked for.
#[allow(clippy::option_option, reason = "no identity, and half of one, are two answers")]
fn workload(environment: &AzureEnvironment, at: &At<'_>) -> Option<Option<AzureWorkload>> {
    let Some(token_file) = &environment.token_file else { return Some(None) };
    match (&environment.tenant_id, &environment.client_id) {
        (Some(tenant_id), Some(client_id)) => Some(Some(AzureWorkload {
            tenant_id: tenant_id.clone(),
            client_id: client_id.clone(),
            token_file: token_file.into(),
        })),
        _ => {
            at.key("credential_ref").fault(
                "is not there, and the environment has AZURE_FEDERATED_TOKEN_FILE and not all of what belongs to it",
                "AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment, or the name of a secret".to_owned(),
            );
            None
        }
    }
}

fn scopes(
    raw: &raw::Provider,
    kind: ProviderKind,
    authority: Option<&Url>,
    at: &At<'_>,
) -> Option<Vec<String>> {
    let scopes = parameters::scopes(raw.scopes.as_ref(), at);
    for (index, text) in raw.scopes.iter().flat_map(raw::Items::iter) {
        let at = at.index(index);
        // Client credentials know no other form: AADSTS1002012 and AADSTS70011 would be the answers.
        if scopes.contains(text) && !text.ends_with("/.default") {
            at.fault(
                "is not a scope of an application at Entra",
                "the resource with /.default behind it".to_owned(),
            );
        } else if scopes.contains(text) && index > 0 {
            at.fault("is another resource: Entra issues a token for one", "one scope".to_owned());
        }
    }
    if raw.scopes.as_ref().is_some_and(|items| items.iter().next().is_some()) || at.was_skipped() {
        return (!scopes.is_empty()).then_some(scopes);
    }
    match usual_scope(kind, authority?) {
        Some(scope) => Some(vec![scope.to_owned()]),
        None => at.missing(
            "the resource with /.default behind it, as https://cognitiveservices.azure.com/.default",
        ),
    }
}

/// What Azure OpenAI wants, in the clouds of which that is known.
fn usual_scope(kind: ProviderKind, authority: &Url) -> Option<&'static str> {
    let host = authority.host_str().unwrap_or_default();
    match kind {
        ProviderKind::AzureOpenAi if host.ends_with(".us") => {
            Some("https://cognitiveservices.azure.us/.default")
        }
        ProviderKind::AzureOpenAi if host.ends_with(".cn") => None,
        ProviderKind::AzureOpenAi => Some("https://cognitiveservices.azure.com/.default"),
        _ => None,
    }
}
