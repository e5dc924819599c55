//! The one map from what went wrong in a stage to what the caller is told.

use thiserror::Error;

use crate::credential::SigningError;
use crate::identity::IdentityError;
use crate::policy::Refused;
use crate::request::{BodyFault, RequestError};
use crate::token::Unavailable;

/// The code of a refusal: in the body, in metrics, in audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "INTERFACE section 5 lists them")]
pub enum Code {
    MissingToken,
    InvalidToken,
    InsufficientUserAuthentication,
    MfaNotPossible,
    Forbidden,
    NoProvider,
    InvalidRequest,
    RequestTooLarge,
    CredentialUnavailable,
    CredentialRejected,
    IdentityUnavailable,
    Overloaded,
    Misconfigured,
}

/// Who has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The one who sent the request.
    Caller,
    /// The one who wrote the configuration or the secret.
    Operator,
    /// The issuer or the provider.
    Remote,
}

/// What happened, stage by stage. For the log; the caller sees [`Cause::code`] and [`Cause::message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// The request cannot be read in one way.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No entry takes the request.
    #[error("no provider entry takes the request")]
    NoProvider,
    /// Envoy names a provider that is not configured, or in metadata that cannot be read.
    #[error(
        "Envoy's configuration names a provider that is not configured, or has metadata that cannot be read"
    )]
    UnknownProvider,
    /// Several entries take the request.
    #[error("the request's facts point to two provider entries")]
    AmbiguousProvider,
    /// The caller is not known.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A filter on the upstream side sees our own credential: this is a retry, and the caller's token is gone.
    #[error(
        "a retry: a single upstream filter sees the first attempt's headers; place the pair of filters (README, Placing it)"
    )]
    RetryWithoutFacts,
    /// The method of the authentication is too weak or too old.
    #[error("the authentication is too weak or too old")]
    StepUp,
    /// Policy refuses.
    #[error(transparent)]
    Policy(#[from] Refused),
    /// There is no credential.
    #[error(transparent)]
    Credential(#[from] Unavailable),
    /// The provider refused the credential, and there is another one or soon will be.
    #[error("the provider refused the credential; the next one takes its place")]
    CredentialReplaced,
    /// The provider refused the credential, and another one of its kind would be refused as well.
    #[error("the provider refused the credential, and renewing it would not help")]
    CredentialRejected,
    /// The provider did not take the signature, and its clock was the reason.
    #[error(
        "the provider refused the signature for its time; the next one is made with the provider's clock"
    )]
    ClockCorrected,
    /// The provider did not take the signature, and its clock is not the reason.
    #[error(
        "the provider refused the signature: the host, region, service, path or body that was signed is not what arrived, or the secret key is another one; `bouncer sigv4 explain` shows what was signed"
    )]
    SignatureRejected,
    /// The request cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Too many streams have no answer yet.
    #[error("too many requests have no answer yet (limits.max_active)")]
    Busy,
    /// It would have to wait, and too many do already.
    #[error("too many requests wait for a key set or a credential already (limits.max_waiting)")]
    Crowded,
    /// Envoy's configuration sends bodies in a mode that nothing here speaks.
    #[error("{0} is not served; set NONE, or FULL_DUPLEX_STREAMED for bodies past Envoy's buffer")]
    BodyMode(&'static str),
    /// `observability_mode: true`: Envoy would not wait for the answer.
    #[error("observability_mode is on: Envoy ignores the answers")]
    ObservabilityMode,
    /// `x-bouncer-half` is neither `downstream` nor `upstream`, or ext_authz was asked to be a half.
    #[error("x-bouncer-half is neither downstream nor upstream")]
    Half,
}

impl Code {
    /// Every code, in the order of [`Code::index`].
    pub const ALL: [Self; 13] = [
        Self::MissingToken,
        Self::InvalidToken,
        Self::InsufficientUserAuthentication,
        Self::MfaNotPossible,
        Self::Forbidden,
        Self::NoProvider,
        Self::InvalidRequest,
        Self::RequestTooLarge,
        Self::CredentialUnavailable,
        Self::CredentialRejected,
        Self::IdentityUnavailable,
        Self::Overloaded,
        Self::Misconfigured,
    ];

    /// Their names in the same order, for labels.
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m] = Self::ALL;
        [
            a.as_str(),
            b.as_str(),
            c.as_str(),
            d.as_str(),
            e.as_str(),
            f.as_str(),
            g.as_str(),
            h.as_str(),
            i.as_str(),
            j.as_str(),
            k.as_str(),
            l.as_str(),
            m.as_str(),
        ]
    };

    /// Its place in [`Code::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::MfaNotPossible => "mfa_not_possible",
            Self::Forbidden => "forbidden",
            Self::NoProvider => "no_provider",
            Self::InvalidRequest => "invalid_request",
            Self::RequestTooLarge => "request_too_large",
            Self::CredentialUnavailable => "credential_unavailable",
            Self::CredentialRejected => "credential_rejected",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::Overloaded => "overloaded",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::MissingToken | Self::InvalidToken | Self::InsufficientUserAuthentication => 401,
            Self::MfaNotPossible | Self::Forbidden | Self::NoProvider => 403,
            Self::RequestTooLarge => 413,
            Self::Misconfigured => 500,
            Self::CredentialRejected => 502,
            Self::CredentialUnavailable | Self::IdentityUnavailable | Self::Overloaded => 503,
        }
    }

    /// The sentence for the person who reads the SDK's exception. Names no issuer, endpoint or secret.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::MissingToken => "Send your access token where the SDK puts its API key.",
            Self::InvalidToken => "The access token was not accepted; get a new one.",
            Self::InsufficientUserAuthentication => {
                "This provider asks for multi-factor authentication; sign in again with a second factor."
            }
            Self::MfaNotPossible => {
                "This provider asks for multi-factor authentication, which a workload cannot pass; call as a person."
            }
            Self::Forbidden => "You may not use this provider.",
            Self::NoProvider => "No provider is configured for this request.",
            Self::InvalidRequest => "The request is malformed or can be read in more than one way.",
            Self::RequestTooLarge => "The request body is larger than this gateway accepts.",
            Self::CredentialUnavailable => "The gateway has no usable credential for the provider right now.",
            Self::CredentialRejected => {
                "The provider does not accept the gateway's credential; tell the gateway's operator."
            }
            Self::IdentityUnavailable => "The gateway cannot verify access tokens right now.",
            Self::Overloaded => "The gateway is busy; try again in a moment.",
            Self::Misconfigured => {
                "The gateway is set up in a way that cannot serve this request; tell its operator."
            }
        }
    }

    /// Whether the same request can succeed later without anybody doing anything.
    #[must_use]
    pub const fn retry_after_seconds(self) -> Option<u32> {
        match self {
            Self::CredentialUnavailable | Self::IdentityUnavailable | Self::Overloaded => Some(5),
            _ => None,
        }
    }
}

impl Cause {
    /// What the caller is told.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Request(_) => Code::InvalidRequest,
            Self::NoProvider => Code::NoProvider,
            Self::Identity(error) => match error {
                IdentityError::Missing => Code::MissingToken,
                IdentityError::Token(_) | IdentityError::UnknownKey { .. } => Code::InvalidToken,
                IdentityError::NoKeySet { .. } => Code::IdentityUnavailable,
                IdentityError::Certificate(_) | IdentityError::NoSubject => Code::Forbidden,
                IdentityError::StaleFacts => Code::InvalidToken,
                IdentityError::NoFacts => Code::Misconfigured,
            },
            Self::Signing(error) => match error {
                SigningError::Presigned
                | SigningError::Query
                | SigningError::ModelArn
                | SigningError::Host
                | SigningError::Region
                | SigningError::Service
                | SigningError::Canonical
                | SigningError::Body(BodyFault::Length) => Code::InvalidRequest,
                SigningError::BodyAwaited
                | SigningError::NoRegion
                | SigningError::NoService
                | SigningError::Body(BodyFault::Partial(_) | BodyFault::Setting(_)) => Code::Misconfigured,
                SigningError::Body(BodyFault::TooLarge) => Code::RequestTooLarge,
                SigningError::Body(BodyFault::NoRoom) => Code::Overloaded,
            },
            Self::ClockCorrected => Code::CredentialUnavailable,
            Self::Busy | Self::Crowded => Code::Overloaded,
            Self::StepUp => Code::InsufficientUserAuthentication,
            Self::Policy(Refused::MfaNotPossible) => Code::MfaNotPossible,
            Self::Credential(_) | Self::CredentialReplaced => Code::CredentialUnavailable,
            Self::CredentialRejected | Self::SignatureRejected => Code::CredentialRejected,
            Self::UnknownProvider
            | Self::AmbiguousProvider
            | Self::RetryWithoutFacts
            | Self::BodyMode(_)
            | Self::ObservabilityMode
            | Self::Half => Code::Misconfigured,
        }
    }

    /// The sentence for the person who reads the SDK's exception: that of the code, or one that says more where nothing
    /// of the gateway shows through it.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Signing(SigningError::Presigned) => {
                "The request is signed already: send your access token, and no X-Amz-… parameters in the query."
            }
            Self::Signing(SigningError::Query) => {
                "The query has a character with two readings; percent-encode it (a plus sign as %2B, a blank as %20)."
            }
            Self::Signing(SigningError::ModelArn) => {
                "The slash in the model's ARN has to be percent-encoded (%2F)."
            }
            Self::Signing(SigningError::Host) => {
                "The request goes to another host than the gateway signs for."
            }
            Self::Signing(SigningError::Region) => {
                "The request goes to another region than the gateway signs for."
            }
            Self::Signing(SigningError::Service) => {
                "The request goes to another service than the gateway signs for."
            }
            Self::Signing(SigningError::Body(BodyFault::Length)) => {
                "The body is not of the length that content-length says."
            }
            _ => self.code().message(),
        }
    }

    /// Who has to act.
    #[must_use]
    pub const fn owner(self) -> Owner {
        match self.code() {
            Code::IdentityUnavailable => Owner::Remote,
            Code::CredentialUnavailable
            | Code::CredentialRejected
            | Code::Overloaded
            | Code::Misconfigured => Owner::Operator,
            _ => Owner::Caller,
        }
    }
}

impl From<BodyFault> for Cause {
    fn from(fault: BodyFault) -> Self {
        Self::Signing(fault.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_its_index() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), index);
        }
    }

    #[test]
    fn a_refusal_never_has_a_status_that_lets_a_request_through() {
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
        }
    }
}
