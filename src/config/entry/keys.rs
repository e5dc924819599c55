//! Which keys mean something to which way to a credential.

use crate::config::place::At;
use crate::config::{raw, words};
use crate::provider::{AuthType, ProviderKind};

/// The ways to a credential. The provider has a say beside `auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ApiKey,
    OAuth2,
    Oidc,
    /// `oidc` of a vendor with a token exchange of its own.
    Federation,
    /// `oidc` and `oauth2` of `vertex`.
    Google,
    Azure,
    Aws,
}

impl Way {
    /// None where the provider, which is not known, would have to say.
    pub(super) fn of(
        raw: &raw::Provider,
        kind: Option<ProviderKind>,
        auth: AuthType,
        at: &At<'_>,
    ) -> Option<Self> {
        let federation = raw.federation.is_some() || at.key("federation").was_skipped();
        Some(match (auth, kind) {
            (AuthType::ApiKey, _) => Self::ApiKey,
            (AuthType::AzureAd, _) => Self::Azure,
            (AuthType::AwsSigV4, _) => Self::Aws,
            (AuthType::OAuth2 | AuthType::Oidc, Some(ProviderKind::Vertex)) => Self::Google,
            (AuthType::Oidc, Some(ProviderKind::OpenAi | ProviderKind::Anthropic)) if federation => {
                Self::Federation
            }
            (AuthType::OAuth2, Some(_)) => Self::OAuth2,
            (AuthType::Oidc, Some(_)) => Self::Oidc,
            (AuthType::OAuth2 | AuthType::Oidc, None) => return None,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "auth_type api_key",
            Self::OAuth2 => "auth_type oauth2",
            Self::Oidc => "auth_type oidc",
            Self::Federation => "federation",
            Self::Google => "provider vertex",
            Self::Azure => "auth_type azure_ad",
            Self::Aws => "auth_type aws_sigv4",
        }
    }
}

/// Keys that mean something only to another way: somebody believes that they do something.
pub(super) fn foreign(raw: &raw::Provider, way: Way, at: &At<'_>) {
    use Way::{ApiKey, Aws, Azure, Federation, Google, OAuth2, Oidc};
    let keys: [(&str, bool, &[Way]); 17] = [
        ("api_key", raw.api_key.is_some(), &[ApiKey]),
        ("scopes", raw.scopes.is_some(), &[OAuth2, Oidc, Azure, Google]),
        ("token_endpoint", raw.token_endpoint.is_some(), &[OAuth2, Federation]),
        ("issuer", raw.issuer.is_some(), &[Oidc]),
        ("client_auth", raw.client_auth.is_some(), &[OAuth2, Oidc]),
        ("grant", raw.grant.is_some(), &[OAuth2, Oidc]),
        ("audience", raw.audience.is_some(), &[OAuth2, Oidc]),
        ("resource", raw.resource.is_some(), &[OAuth2, Oidc]),
        ("extra_params", raw.extra_params.is_some(), &[OAuth2, Oidc]),
        ("token_body", raw.token_body.is_some(), &[OAuth2, Oidc]),
        ("subject_token", raw.subject_token.is_some(), &[OAuth2, Oidc, Federation]),
        ("actor_token", raw.actor_token.is_some(), &[OAuth2, Oidc]),
        ("federation", raw.federation.is_some(), &[Federation]),
        ("azure_ad", raw.azure_ad.is_some(), &[Azure]),
        ("vertex", raw.vertex.is_some(), &[Google]),
        ("aws", raw.aws.is_some(), &[Aws]),
        ("tls", raw.tls.is_some(), &[OAuth2, Oidc, Federation, Azure, Google, Aws]),
    ];
    for (key, present, of) in keys {
        if present && !of.contains(&way) {
            let what = format!("{key} means nothing to {}", way.as_str());
            at.key(key).fault_at_key(what, belongs(way, of));
        }
    }
    if way == Federation && raw.credential_ref.is_some() {
        at.key("credential_ref").fault_at_key(
            "credential_ref means nothing to federation: the workload's own token is the proof",
            "subject_token, where it is not the one of Kubernetes".to_owned(),
        );
    }
}

/// Where a key belongs, for somebody who used it on `way`.
fn belongs(way: Way, of: &[Way]) -> String {
    if of == [Way::Federation] {
        return "only with auth_type oidc of provider openai or anthropic".to_owned();
    }
    if way == Way::Federation && of.contains(&Way::Oidc) {
        return "only without federation".to_owned();
    }
    if way == Way::Google && (of.contains(&Way::OAuth2) || of.contains(&Way::Oidc)) {
        return "only with other providers: the credentials of Google say where they are exchanged"
            .to_owned();
    }
    let types = of.iter().filter_map(|way| way.as_str().strip_prefix("auth_type "));
    let types = words::list(types);
    let others = of.iter().map(|way| way.as_str()).filter(|name| !name.starts_with("auth_type "));
    let types = (!types.is_empty()).then(|| format!("auth_type {types}"));
    let all: Vec<String> = types.into_iter().chain(others.map(str::to_owned)).collect();
    format!("only with {}", all.join(" or "))
}
