//! What an entry says of its token, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Items};

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(in crate::config) enum RefreshPolicy {
    PreExpiry,
    Lazy,
    Proactive,
}

/// Renewal of tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Refresh {
    /// How long before its end a token is renewed, at most half of its life. Default 5m.
    pub(in crate::config) margin: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum Feedback {
    Answer,
    Observe,
    Off,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[allow(clippy::enum_variant_names, reason = "the names are those of OpenID Connect")]
pub(in crate::config) enum ClientAuth {
    Basic,
    Post,
    PrivateKeyJwt,
    TlsClientAuth,
    None,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum Grant {
    ClientCredentials,
    TokenExchange,
    JwtBearer,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum TokenBody {
    Form,
    Json,
}

/// A token that somebody else keeps fresh in a file. Read again for every exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TokenFile {
    /// The file. Default for subject_token: /var/run/secrets/kubernetes.io/serviceaccount/token.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: Option<String>,
    /// jwt (default), id_token, access_token, or a URN.
    #[schemars(length(min = 1))]
    pub(in crate::config) r#type: Option<String>,
}

/// Workload identity federation of a vendor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Federation {
    /// openai: the identity provider, as OpenAI's console names it.
    pub(in crate::config) identity_provider_id: Option<String>,
    /// The service account that the token is for. openai: required. anthropic: optional.
    pub(in crate::config) service_account_id: Option<String>,
    /// anthropic: the federation rule, as Anthropic's console names it.
    pub(in crate::config) federation_rule_id: Option<String>,
    /// anthropic: the organization.
    pub(in crate::config) organization_id: Option<String>,
    /// anthropic: the workspace that the token is for. Optional.
    pub(in crate::config) workspace_id: Option<String>,
}

/// Microsoft Entra.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AzureAd {
    /// Default: https://login.microsoftonline.com; without credential_ref $AZURE_AUTHORITY_HOST, where it is set.
    pub(in crate::config) authority_host: Option<String>,
    /// Where a managed identity gets its tokens. Default: http://169.254.169.254/metadata/identity/oauth2/token.
    pub(in crate::config) managed_identity_endpoint: Option<String>,
}

/// Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Vertex {
    /// Hosts beyond *.googleapis.com to which the file of credentials may send a token request.
    pub(in crate::config) allowed_token_hosts: Option<Items<String>>,
    /// Where the machine's metadata is. Default: http://metadata.google.internal.
    pub(in crate::config) metadata_endpoint: Option<String>,
    /// The project that pays, x-goog-user-project on every request.
    pub(in crate::config) user_project: Option<String>,
}

/// TLS towards the token endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ClientTls {
    /// Certificates that are trusted, PEM. Default: the public ones.
    #[schemars(length(min = 1))]
    pub(in crate::config) ca: Option<String>,
    /// Certificate chain of the client, PEM.
    #[schemars(length(min = 1))]
    pub(in crate::config) certificate: Option<String>,
    /// Private key of the client, PEM.
    #[schemars(length(min = 1))]
    pub(in crate::config) private_key: Option<String>,
}
