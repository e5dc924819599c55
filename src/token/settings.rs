//! How the token of an entry is obtained, as the configuration says it: valid by construction.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::cache::Policy;
use crate::credential::{AwsKeys, SigningSettings};
pub use crate::outbound::{ClientIdentity, ClientTls};

/// An entry whose credential is a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenSettings {
    /// Name of the secret with the long-lived material (`credential_ref`); none for an ambient identity.
    pub secret: Option<String>,
    /// The way to the token.
    pub grant: Grant,
    /// When it is renewed.
    pub policy: Policy,
    /// TLS towards the token endpoint.
    pub tls: ClientTls,
}

/// The ways to a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// RFC 6749 and its extensions, at any server.
    OAuth(OAuthSettings),
    /// OpenAI's workload identity federation: RFC 8693 in JSON.
    OpenAi(OpenAiFederation),
    /// Anthropic's: RFC 7523 in JSON.
    Anthropic(AnthropicFederation),
    /// Microsoft Entra.
    Azure(AzureSettings),
    /// Google Cloud.
    Google(GoogleSettings),
    /// AWS: keys that sign.
    Aws(AwsSettings),
}

impl Grant {
    /// Where the exchanges go, so that those to one place can be bounded together.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::OAuth(OAuthSettings { endpoint: TokenEndpoint::At(url), .. })
            | Self::OpenAi(OpenAiFederation { endpoint: url, .. })
            | Self::Anthropic(AnthropicFederation { endpoint: url, .. })
            | Self::Azure(AzureSettings { authority: url, .. }) => url.origin().ascii_serialization(),
            Self::OAuth(OAuthSettings { endpoint: TokenEndpoint::Of { issuer }, .. }) => issuer.clone(),
            Self::Google(_) => "google".to_owned(),
            Self::Aws(_) => "aws".to_owned(),
        }
    }
}

/// A request to a token endpoint of RFC 6749.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OAuthSettings {
    /// Where it is.
    pub endpoint: TokenEndpoint,
    /// What is presented.
    pub grant: OAuthGrant,
    /// How the client shows itself; none: by what the secret holds.
    pub client_auth: Option<ClientAuth>,
    /// `scope`.
    pub scopes: Vec<String>,
    /// `audience` (RFC 8693, and Auth0 beyond it).
    pub audience: Option<String>,
    /// `resource` (RFC 8707), each one absolute and without a fragment, as it is written: servers compare it so.
    pub resource: Vec<String>,
    /// Further parameters; never one of the protocol's own.
    pub extra: Vec<(String, String)>,
    /// How the parameters are written.
    pub body: BodyFormat,
}

/// Where tokens are obtained.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TokenEndpoint {
    /// `token_endpoint`.
    At(Url),
    /// As the discovery document of `issuer` says it.
    Of {
        /// Compared with the document's code point by code point.
        issuer: String,
    },
}

/// The grant types of a server of RFC 6749.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OAuthGrant {
    /// RFC 6749 section 4.4; with a `refresh_token` in the secret, section 6.
    ClientCredentials,
    /// RFC 8693.
    TokenExchange {
        /// Whom the token is for.
        subject: TokenFile,
        /// Who acts.
        actor: Option<TokenFile>,
    },
    /// RFC 7523 section 2.1.
    JwtBearer {
        /// The workload's own token.
        assertion: TokenFile,
    },
}

/// A token that somebody else keeps fresh in a file, as the kubelet does. Read again for every exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its type, an URI (`urn:ietf:params:oauth:token-type:jwt`).
    pub kind: String,
}

/// Client authentication (OpenID Connect Core section 9, RFC 8705).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the registry")]
pub enum ClientAuth {
    Basic,
    Post,
    PrivateKeyJwt,
    TlsClientAuth,
    None,
}

/// How parameters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    #[default]
    Form,
    /// A JSON object, as some servers have it.
    Json,
}

/// `federation` of an `openai` entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenAiFederation {
    /// Default `https://auth.openai.com/oauth/token`.
    pub endpoint: Url,
    /// The workload's own token.
    pub subject: TokenFile,
    /// As OpenAI's console shows it.
    pub identity_provider_id: String,
    /// As OpenAI's console shows it.
    pub service_account_id: String,
}

/// `federation` of an `anthropic` entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AnthropicFederation {
    /// Default `https://api.anthropic.com/v1/oauth/token`.
    pub endpoint: Url,
    /// The workload's own token.
    pub assertion: TokenFile,
    /// As Anthropic's console shows it.
    pub federation_rule_id: String,
    /// As Anthropic's console shows it.
    pub organization_id: String,
    /// Optional.
    pub service_account_id: Option<String>,
    /// Optional.
    pub workspace_id: Option<String>,
}

/// `azure_ad`. Which credential it is, the secret says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureSettings {
    /// Default `https://login.microsoftonline.com`; a sovereign cloud has another.
    pub authority: Url,
    /// At least one.
    pub scopes: Vec<String>,
    /// Where the managed identity's tokens are; default the machine's metadata service.
    pub managed_identity: Url,
    /// What the environment of an AKS pod says, where the entry names no secret.
    pub workload: Option<AzureWorkload>,
}

/// AKS workload identity. `AZURE_AUTHORITY_HOST` goes with it into [`AzureSettings::authority`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureWorkload {
    /// `AZURE_TENANT_ID`.
    pub tenant_id: String,
    /// `AZURE_CLIENT_ID`.
    pub client_id: String,
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    pub token_file: PathBuf,
}

/// `vertex`. Which credential it is, the secret says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GoogleSettings {
    /// Default `https://www.googleapis.com/auth/cloud-platform`.
    pub scopes: Vec<String>,
    /// Hosts beyond `*.googleapis.com` to which a file of credentials may send us.
    pub allowed_token_hosts: Vec<String>,
    /// Where the machine's metadata is; default `http://metadata.google.internal`.
    pub metadata: Url,
    /// `x-goog-user-project` on every request.
    pub user_project: Option<String>,
    /// What the environment says of AWS, for a workload there.
    pub aws: AwsEnvironment,
}

/// AWS, as the environment names it: what is there is not asked of the machine's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AwsEnvironment {
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// The keys, where both are there.
    pub keys: Option<AwsKeys>,
}

/// A role for a token that somebody else keeps fresh in a file, as EKS sets it for a service account (IRSA).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebIdentity {
    /// `AWS_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub token_file: PathBuf,
    /// `AWS_ROLE_SESSION_NAME`.
    pub session_name: Option<String>,
}

/// `aws_sigv4`. Which identity it begins with, the secret says; without one it is that of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsSettings {
    /// The entry's name, of which the names of role sessions are made.
    pub name: String,
    /// What is signed with the keys.
    pub signing: SigningSettings,
    /// STS; none: the region's own.
    pub sts_endpoint: Option<Url>,
    /// Assumed one after the other.
    pub roles: Vec<Role>,
    /// What the environment says of the pod's own identity.
    pub web_identity: Option<WebIdentity>,
}

/// A role to assume (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Role {
    /// `RoleArn`.
    pub arn: String,
    /// `ExternalId`.
    pub external_id: Option<String>,
    /// `RoleSessionName`; none: `bouncer-` and the entry's name.
    pub session_name: Option<String>,
    /// `DurationSeconds`; none: an hour.
    pub duration: Option<Duration>,
    /// `Tags`.
    pub tags: Vec<(String, String)>,
    /// `TransitiveTagKeys`.
    pub transitive_tags: Vec<String>,
    /// `SourceIdentity`.
    pub source_identity: Option<String>,
}

/// What a token gets that says nothing of its end (RFC 6749 section 5.1 only recommends `expires_in`).
pub(super) const DEFAULT_LIFE: Duration = Duration::from_secs(300);
