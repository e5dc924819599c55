//! Who may call, as the configuration says it: valid by construction, no raw text left to check.

use std::sync::Arc;
use std::time::Duration;

use super::TrustDomain;

/// The section `callers`. At least one of the two is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallersSettings {
    /// Accepted issuers of tokens.
    pub jwt: Vec<IssuerSettings>,
    /// Accepted client certificates.
    pub mtls: Option<MtlsSettings>,
    /// Longest accepted token in bytes (`limits.max_token`).
    pub max_token: usize,
    /// How many verified tokens are remembered (`limits.verified_tokens`).
    pub verified_tokens: usize,
}

/// One issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Compared with `iss` code point by code point.
    pub issuer: Arc<str>,
    /// Any of these must be in `aud`.
    pub audiences: Vec<String>,
    /// Where the key set is; discovery when absent.
    pub jwks_uri: Option<url::Url>,
    /// Accepted signature algorithms; never a symmetric one.
    pub algorithms: Vec<Algorithm>,
    /// Lower-case names of the headers in which this issuer's tokens are accepted.
    pub token_from: Vec<String>,
    /// Claim that lists groups.
    pub groups_claim: Option<String>,
    /// A claim with this value marks a workload.
    pub workloads: Vec<WorkloadMark>,
    /// How far the clocks may differ; at most 60 s.
    pub leeway: Duration,
}

/// `workloads: {idtyp: app}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadMark {
    /// Name of the claim.
    pub claim: String,
    /// Value that marks a workload.
    pub value: String,
}

/// Where certificates are seen and whose are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtlsSettings {
    /// Where the certificate is read.
    pub from: CertificateSource,
    /// Accepted SPIFFE trust domains.
    pub trust_domains: Vec<TrustDomain>,
}

/// Where the certificate's identity is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// Envoy's attributes (ext_proc) or `source.principal` (ext_authz).
    Attributes,
    /// `x-forwarded-client-cert`, written by a listener that has `SANITIZE_SET`.
    Xfcc,
}

/// Signature algorithms of RFC 7518 and RFC 8037, the asymmetric ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the registry's")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, in the order of RFC 7518.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The name in the registry, as `alg` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a name, case and all. `Ed25519` is the newer name of the only curve that EdDSA has here (RFC 9864).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|algorithm| algorithm.name() == name),
        }
    }
}
