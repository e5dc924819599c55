//! A provider entry as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::aws::Aws;
use super::token::{
    AzureAd, ClientAuth, ClientTls, Federation, Feedback, Grant, Refresh, RefreshPolicy, TokenBody,
    TokenFile, Vertex,
};
use super::{Items, Mfa, OneOrMore};

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
    /// oauth2, oidc, azure_ad: what the token is asked for. Default for azure-openai with azure_ad:
    /// https://cognitiveservices.azure.com/.default; for vertex: https://www.googleapis.com/auth/cloud-platform.
    pub(in crate::config) scopes: Option<Items<String>>,
    /// oauth2: where tokens are obtained. With federation: where, if not at the vendor's own.
    pub(in crate::config) token_endpoint: Option<String>,
    /// oidc: whose discovery document names the token endpoint.
    pub(in crate::config) issuer: Option<String>,
    /// When a token is renewed: pre-expiry (default), lazy or proactive.
    pub(in crate::config) refresh_policy: Option<RefreshPolicy>,
    /// Whether a rotation of the credential is an audit event. Default true.
    pub(in crate::config) audit_on_rotate: Option<bool>,
    /// What becomes of the provider's 401 and 403: answer (the credential is renewed, and the caller, whose own token was
    /// fine, sees 503 or 502; default where the credential is a token), observe (it is renewed, and the caller sees the
    /// provider's answer) or off (nobody looks; default for api_key).
    pub(in crate::config) feedback: Option<Feedback>,
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
    /// oauth2, oidc: client_credentials (default), token_exchange (RFC 8693) or jwt_bearer (RFC 7523).
    pub(in crate::config) grant: Option<Grant>,
    /// oauth2, oidc: for whom the token is, as the token endpoint names it.
    #[schemars(length(min = 1))]
    pub(in crate::config) audience: Option<String>,
    /// oauth2, oidc: one URI or a list, for whom the token is (RFC 8707).
    pub(in crate::config) resource: Option<OneOrMore>,
    /// oauth2, oidc: further parameters of the token request; never the protocol's own, never secrets.
    pub(in crate::config) extra_params: Option<BTreeMap<String, String>>,
    /// oauth2, oidc: form (default), or json for a token endpoint that wants it.
    pub(in crate::config) token_body: Option<TokenBody>,
    /// token_exchange, jwt_bearer, federation: the workload's own token.
    pub(in crate::config) subject_token: Option<TokenFile>,
    /// token_exchange: the token of the one who acts.
    pub(in crate::config) actor_token: Option<TokenFile>,
    /// oidc of openai and anthropic: the vendor's workload identity federation, in the place of issuer.
    pub(in crate::config) federation: Option<Federation>,
    /// azure_ad: Microsoft Entra.
    pub(in crate::config) azure_ad: Option<AzureAd>,
    /// vertex: Google Cloud.
    pub(in crate::config) vertex: Option<Vertex>,
    /// aws_sigv4: region, service and roles.
    pub(in crate::config) aws: Option<Aws>,
    /// oauth2, oidc, azure_ad, aws_sigv4, vertex: TLS towards the token endpoint.
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
