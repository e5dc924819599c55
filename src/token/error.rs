//! Why there is no credential.

use thiserror::Error;

use super::KeyFault;

/// What a request is told: 503 with `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// There never was one: the secret is not good, or no token could be obtained.
    #[error("no usable credential yet")]
    Never,
    /// The last good one has ended.
    #[error("the last credential has expired")]
    Expired,
    /// It is being obtained: worth a wait.
    #[error("the token did not come in time")]
    Awaited,
}

/// What is wrong with a secret, for the operator's log, `/readyz` and `bouncer check`. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum SecretFault {
    #[error("{name:?} is not the name of a secret")]
    Name { name: String },
    #[error("secret {name:?} is not there ({path})")]
    Missing { name: String, path: String },
    #[error("secret {name:?} has none of the keys {keys}")]
    NoKey { name: String, keys: &'static str },
    #[error("there is no credential_ref, and this way to a token needs a secret with {keys}")]
    NoSecret { keys: &'static str },
    #[error("secret {name:?} has several of the keys {keys}, and they differ")]
    Ambiguous { name: String, keys: &'static str },
    #[error("secret {name:?} has several of the keys {keys}; one of them is the credential")]
    Several { name: String, keys: &'static str },
    #[error("a managed identity's token is for one resource: the entry needs exactly one scope")]
    OneScope,
    #[error("secret {name:?}: {path} cannot be read: {kind}")]
    Read { name: String, path: String, kind: std::io::ErrorKind },
    #[error("secret {name:?}: {what}")]
    Unusable { name: String, what: crate::credential::ApiKeyError },
    #[error("secret {name:?}: {key} is larger than 64 KiB or not UTF-8")]
    NotText { name: String, key: String },
    #[error("secret {name:?}: {key} is shorter than {least} bytes")]
    TooShort { name: String, key: &'static str, least: usize },
    #[error("secret {name:?}: {key} {what}")]
    Key { name: String, key: &'static str, what: KeyFault },
    #[error("secret {name:?}: expires_at is neither RFC 3339 (2027-01-31T00:00:00Z) nor Unix seconds")]
    ExpiresAt { name: String },
    #[error("secret {name:?} has both of {keys}: client_auth has to say which one counts")]
    Undecided { name: String, keys: &'static str },
    #[error(
        "secret {name:?}: private_key is no PEM key of RSA (2048 bits and more) or of the curve P-256 or P-384"
    )]
    PrivateKey { name: String },
    #[error("secret {name:?}: certificate is not PEM")]
    Certificate { name: String },
    #[error("secret {name:?}: {key} is of no use beside {other}")]
    Beside { name: String, key: &'static str, other: &'static str },
    #[error("the region of STS is not known: set aws.region, or region in the secret")]
    NoAwsRegion,
    #[error(
        "{role}: its session would last longer than 3600 s, which AWS allows only for a role that long-lived keys of a user assume; set its duration to 3600s at most"
    )]
    ChainedDuration { role: String },
    #[error("client_auth tls_client_auth needs tls.certificate and tls.private_key")]
    NoClientCertificate,
}
