//! What is wrong with one key of a secret. Holds no value; names of fields at most.

use thiserror::Error;

/// A key of a secret that is there and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum KeyFault {
    #[error("is larger than 64 KiB")]
    TooLarge,
    #[error("is not a JSON object whose fields have the types that Google gives them, each once")]
    NotJson,
    #[error("has the field {0:?}, which is not understood")]
    UnknownField(String),
    #[error("lacks {0}")]
    Missing(&'static str),
    #[error("type is not {0}")]
    Type(&'static str),
    #[error("{0} is not fit for what it is")]
    Unfit(&'static str),
    #[error("{0} leads neither to *.googleapis.com nor to one of vertex.allowed_token_hosts by https")]
    Host(&'static str),
    #[error("{0} is not at 169.254.169.254 or [fd00:ec2::254]")]
    AwsHost(&'static str),
    #[error("regional_cred_verification_url is not GetCallerIdentity at an STS of AWS")]
    AwsVerification,
    #[error("environment_id is not aws1, the only version that is known")]
    AwsVersion,
    #[error("credential_source.executable is a program, and none is ever run here; use file, url or aws1")]
    Executable,
    #[error("credential_source.certificate is not supported; use file, url or aws1")]
    CertificateSource,
    #[error("credential_source names neither file, url nor environment_id")]
    NoSource,
    #[error("token_lifetime_seconds is not within 600..43200")]
    Lifetime,
    #[error("universe_domain is not googleapis.com")]
    Universe,
    #[error("workforce pools are for people; use a workload identity pool")]
    Workforce,
    #[error("quota_project_id differs from the entry's own; give vertex the user_project that is meant")]
    QuotaProject,
    #[error("is no tenant: letters, digits, `-` and `.` are all that a tenant's ID or domain has")]
    Tenant,
    #[error("is no client ID of Microsoft Entra: letters, digits and `-` are all that it has")]
    ClientId,
    #[error("private_key is no PEM key that can sign")]
    PrivateKey,
    #[error("is not an absolute path")]
    Path,
    #[error("is not what AWS allows: {0}")]
    Aws(&'static str),
}
