//! Kinds of providers, kinds of credentials, and which go together.

use std::fmt;

use super::{ApiKeyPlacement, Dialect};

/// Which service it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the vendors'")]
pub enum ProviderKind {
    OpenAi,
    AzureOpenAi,
    Anthropic,
    Bedrock,
    Vertex,
    /// Any OpenAI-compatible or self-hosted service.
    Custom,
}

/// How the credential comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the configuration's")]
pub enum AuthType {
    ApiKey,
    OAuth2,
    Oidc,
    AwsSigV4,
    AzureAd,
}

impl ProviderKind {
    /// Reads the name of the configuration: `openai`, …, `custom` or `custom-<anything>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "openai" => Self::OpenAi,
            "azure-openai" => Self::AzureOpenAi,
            "anthropic" => Self::Anthropic,
            "bedrock" => Self::Bedrock,
            "vertex" => Self::Vertex,
            "custom" => Self::Custom,
            other => match other.strip_prefix("custom-") {
                Some(rest) if !rest.is_empty() => Self::Custom,
                _ => return None,
            },
        })
    }

    /// Every name that [`ProviderKind::parse`] takes, for error texts.
    pub const NAMES: &'static str = "openai, azure-openai, anthropic, bedrock, vertex, custom, custom-<name>";

    /// The auth types that the provider accepts, the promised one first.
    #[must_use]
    pub const fn auth_types(self) -> &'static [AuthType] {
        use AuthType::{ApiKey, AwsSigV4, AzureAd, OAuth2, Oidc};
        match self {
            Self::OpenAi | Self::Anthropic => &[ApiKey, OAuth2, Oidc],
            Self::AzureOpenAi => &[ApiKey, AzureAd, OAuth2, Oidc],
            Self::Bedrock => &[AwsSigV4, ApiKey],
            Self::Vertex => &[Oidc, OAuth2],
            Self::Custom => &[ApiKey, OAuth2, Oidc, AwsSigV4, AzureAd],
        }
    }

    /// Where the provider wants its API key (PROVIDERS: header matrix).
    #[must_use]
    pub fn api_key_placement(self) -> ApiKeyPlacement {
        match self {
            Self::AzureOpenAi => ApiKeyPlacement::bare("api-key"),
            Self::Anthropic => ApiKeyPlacement::bare("x-api-key"),
            Self::OpenAi | Self::Bedrock | Self::Vertex | Self::Custom => ApiKeyPlacement::bearer(),
        }
    }

    /// How the provider words an error.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi | Self::AzureOpenAi | Self::Custom => Dialect::OpenAi,
            Self::Anthropic => Dialect::Anthropic,
            Self::Bedrock => Dialect::Bedrock,
            Self::Vertex => Dialect::Vertex,
        }
    }

    /// Name in metrics and audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::AzureOpenAi => "azure-openai",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
            Self::Custom => "custom",
        }
    }
}

impl AuthType {
    /// Every auth type.
    pub const ALL: [Self; 5] = [Self::ApiKey, Self::OAuth2, Self::Oidc, Self::AwsSigV4, Self::AzureAd];

    /// Reads the name of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|auth| auth.as_str() == text)
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::OAuth2 => "oauth2",
            Self::Oidc => "oidc",
            Self::AwsSigV4 => "aws_sigv4",
            Self::AzureAd => "azure_ad",
        }
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configured_name_reads_back_and_others_are_refused() {
        for name in ["openai", "azure-openai", "anthropic", "bedrock", "vertex", "custom"] {
            assert_eq!(ProviderKind::parse(name).map(ProviderKind::as_str), Some(name));
            assert!(ProviderKind::NAMES.contains(name));
        }
        assert_eq!(ProviderKind::parse("custom-openai"), Some(ProviderKind::Custom));
        for name in ["", "OpenAI", "custom-", "customx", "gemini", " openai"] {
            assert_eq!(ProviderKind::parse(name), None, "{name}");
        }
    }

    #[test]
    fn auth_types_read_back_and_others_are_refused() {
        for auth in AuthType::ALL {
            assert_eq!(AuthType::parse(auth.as_str()), Some(auth));
            assert_eq!(auth.to_string(), auth.as_str());
        }
        assert_eq!(AuthType::parse("apikey"), None);
    }

    #[test]
    fn a_cloud_that_federates_takes_no_static_key_and_bedrock_has_a_bearer_one_beside_signatures() {
        assert!(!ProviderKind::Vertex.auth_types().contains(&AuthType::ApiKey));
        // <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html>
        assert_eq!(ProviderKind::Bedrock.auth_types(), [AuthType::AwsSigV4, AuthType::ApiKey]);
        assert_eq!(ProviderKind::Bedrock.api_key_placement(), ApiKeyPlacement::bearer());
        for kind in
            [ProviderKind::OpenAi, ProviderKind::AzureOpenAi, ProviderKind::Anthropic, ProviderKind::Custom]
        {
            assert_eq!(kind.auth_types().first(), Some(&AuthType::ApiKey));
        }
    }
}
