//! A provider entry as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Items, Mfa};

/// One LLM service: which requests are its own, and which credential goes on them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Provider {
    /// Unique name, also in metrics. Default: the value of provider.
    pub(in crate::config) name: Option<String>,
    /// openai, azure-openai, anthropic, bedrock, vertex, custom or custom- with anything behind it.
    #[schemars(required, regex(pattern = "^(openai|azure-openai|anthropic|bedrock|vertex|custom(-.+)?)$"))]
    pub(in crate::config) provider: Option<String>,
    /// How the credential comes about: api_key, oauth2, oidc, aws_sigv4 or azure_ad, within what the provider supports.
    #[schemars(required)]
    pub(in crate::config) auth_type: Option<AuthType>,
    /// A name in the secret store, never the secret itself.
    pub(in crate::config) credential_ref: Option<String>,
    /// Whether the caller must have passed multi-factor authentication. Default false.
    pub(in crate::config) mfa_required: Option<bool>,
    /// oauth2, oidc, azure_ad: what the token is asked for.
    pub(in crate::config) scopes: Option<Items<String>>,
    /// oauth2: where tokens are obtained.
    pub(in crate::config) token_endpoint: Option<String>,
    /// oidc: whose discovery document names the token endpoint.
    pub(in crate::config) issuer: Option<String>,
    /// When a token is renewed: pre-expiry (default), lazy or proactive.
    pub(in crate::config) refresh_policy: Option<RefreshPolicy>,
    /// Whether a rotation of the credential is an audit event. Default true.
    pub(in crate::config) audit_on_rotate: Option<bool>,
    /// Which requests are its own: any of these. Without it, those for which Envoy names the entry.
    pub(in crate::config) r#match: Option<Match>,
    /// Narrows the global section mfa, field by field.
    pub(in crate::config) mfa: Option<Mfa>,
    /// api_key: where the key goes, when not where the provider usually wants it.
    pub(in crate::config) api_key: Option<ApiKey>,
    /// Renewal of tokens.
    pub(in crate::config) refresh: Option<Refresh>,
    /// oauth2, oidc: how the client shows itself to the token endpoint.
    pub(in crate::config) client_auth: Option<ClientAuth>,
    /// azure_ad: Microsoft Entra.
    pub(in crate::config) azure_ad: Option<AzureAd>,
    /// vertex: Google Cloud.
    pub(in crate::config) vertex: Option<Vertex>,
    /// aws_sigv4: region, service and roles.
    pub(in crate::config) aws: Option<Aws>,
    /// oauth2, oidc, azure_ad: TLS towards the token endpoint.
    pub(in crate::config) tls: Option<ClientTls>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum AuthType {
    ApiKey,
    Oauth2,
    Oidc,
    AwsSigv4,
    AzureAd,
}

/// Which requests are this entry's: any of these. Texts are literal, * stands for any run of characters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Match {
    /// Envoy's cluster.
    pub(in crate::config) cluster: Option<Items<String>>,
    /// Envoy's route.
    pub(in crate::config) route: Option<Items<String>>,
    /// Host of the request, without its port.
    pub(in crate::config) authority: Option<Items<String>>,
    /// Beginning of the path; ends at a segment's end or in /.
    pub(in crate::config) path_prefix: Option<Items<String>>,
    /// Route, cluster or host metadata with this value.
    pub(in crate::config) metadata: Option<Metadata>,
}

/// Route, cluster or host metadata.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Metadata {
    /// Namespace of the metadata.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) namespace: Option<String>,
    /// Its key.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) key: Option<String>,
    /// Its value.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) value: Option<String>,
}

/// Where an API key goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ApiKey {
    /// Lower-case header name.
    pub(in crate::config) header: Option<String>,
    /// What stands before the key, blank included, as "Bearer ".
    pub(in crate::config) prefix: Option<String>,
}

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
    /// How long before its end a token is renewed. Default 5m.
    pub(in crate::config) margin: Option<DurationText>,
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

/// Microsoft Entra.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the schema knows it, a later version reads it")]
pub(in crate::config) struct AzureAd {
    /// Default: https://login.microsoftonline.com.
    pub(in crate::config) authority_host: Option<String>,
}

/// Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the schema knows it, a later version reads it")]
pub(in crate::config) struct Vertex {
    /// Hosts beyond *.googleapis.com to which a token request may go.
    pub(in crate::config) allowed_token_hosts: Option<Items<String>>,
}

/// AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the schema knows it, a later version reads it")]
pub(in crate::config) struct Aws {
    /// Region of the service.
    pub(in crate::config) region: Option<String>,
    /// Name in the signature. Default: bedrock.
    pub(in crate::config) service: Option<String>,
    /// Host in the signature.
    pub(in crate::config) host: Option<String>,
    /// STS. Default: the region's own.
    pub(in crate::config) sts_endpoint: Option<String>,
    /// Roles, assumed one after the other.
    pub(in crate::config) roles: Option<Items<Role>>,
}

/// A role to assume.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the schema knows it, a later version reads it")]
pub(in crate::config) struct Role {
    /// The role.
    #[schemars(required)]
    pub(in crate::config) arn: Option<String>,
    /// What the role's owner asks of whom is not of its account.
    pub(in crate::config) external_id: Option<String>,
    /// Name of the session in CloudTrail.
    pub(in crate::config) session_name: Option<String>,
    /// How long the session lives. Default 1h.
    pub(in crate::config) duration: Option<DurationText>,
    /// Tags of the session.
    pub(in crate::config) tags: Option<BTreeMap<String, String>>,
    /// Whom the session stands for.
    pub(in crate::config) source_identity: Option<String>,
}

/// TLS towards the token endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the schema knows it, a later version reads it")]
pub(in crate::config) struct ClientTls {
    /// Certificates that are trusted, PEM. Default: the public ones.
    pub(in crate::config) ca: Option<String>,
    /// Certificate chain of the client, PEM.
    pub(in crate::config) certificate: Option<String>,
    /// Private key of the client, PEM.
    pub(in crate::config) private_key: Option<String>,
}
