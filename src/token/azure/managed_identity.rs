//! The identity that Azure gives to a machine
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).

use url::Url;

use super::MANAGED_IDENTITY;
use crate::base::Secret;
use crate::token::{AzureSettings, Legs, Minting, Origin, Outward, SecretFault, TokenCall, TokenSource};

/// The metadata service's own version of the protocol.
const VERSION: &str = "2018-02-01";

/// The identity of the machine: its own, or one of those that were assigned to it.
#[derive(Debug)]
pub(super) struct ManagedIdentity {
    url: Url,
    scopes: Vec<String>,
    outward: Outward,
}

impl ManagedIdentity {
    pub(super) fn new(
        settings: &AzureSettings,
        client_id: Option<String>,
        outward: &Outward,
    ) -> Result<Self, SecretFault> {
        // A resource is asked for, not a scope, and one only.
        let [scope] = settings.scopes.as_slice() else { return Err(SecretFault::OneScope) };
        let mut url = settings.managed_identity.clone();
        if url.path() == "/" {
            url.set_path("/metadata/identity/oauth2/token");
        }
        url.set_query(None);
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        url.query_pairs_mut().append_pair("api-version", VERSION).append_pair("resource", resource);
        if let Some(client_id) = client_id {
            url.query_pairs_mut().append_pair("client_id", &client_id);
        }
        Ok(Self { url, scopes: settings.scopes.clone(), outward: outward.clone() })
    }
}

impl TokenSource for ManagedIdentity {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            let call = TokenCall::get(MANAGED_IDENTITY, &self.url)
                .at_metadata()
                .with_header("metadata", Secret::new("true".to_owned()));
            let began = self.outward.clock.now();
            let mut token = self.outward.token(call, &self.scopes, legs).await?;
            token.refresh_in = token.refresh_in.map(|hint| hint.min(token.left(began)));
            Ok(token)
        })
    }

    fn name(&self) -> &'static str {
        "managed_identity"
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}
