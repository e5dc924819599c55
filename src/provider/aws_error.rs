//! How AWS names what it refuses: one table for its services and for STS, which say the same in the words of several protocols
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).

use std::fmt;

/// Codes of AWS's errors; everything else is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are AWS's")]
pub enum AwsErrorCode {
    AccessDenied,
    ExpiredToken,
    IdpCommunicationError,
    IdpRejectedClaim,
    IncompleteSignature,
    InternalFailure,
    InvalidClientTokenId,
    InvalidIdentityToken,
    InvalidParameter,
    JwtPayloadSizeExceeded,
    MalformedPolicyDocument,
    MissingAuthenticationToken,
    OptInRequired,
    PackedPolicyTooLarge,
    RegionDisabled,
    RequestExpired,
    RequestTimeTooSkewed,
    ServiceUnavailable,
    SessionDurationEscalation,
    SignatureDoesNotMatch,
    Throttling,
    ValidationError,
    Other,
}

impl AwsErrorCode {
    /// Each with its names: the protocol's own, and those of the services that say it otherwise. The first one is shown.
    const NAMES: [(Self, &'static [&'static str]); 22] = [
        (Self::AccessDenied, &["AccessDenied", "AccessDeniedException"]),
        (Self::ExpiredToken, &["ExpiredToken", "ExpiredTokenException"]),
        (Self::IdpCommunicationError, &["IDPCommunicationError", "IDPCommunicationErrorException"]),
        (Self::IdpRejectedClaim, &["IDPRejectedClaim", "IDPRejectedClaimException"]),
        (Self::IncompleteSignature, &["IncompleteSignature", "IncompleteSignatureException"]),
        (Self::InternalFailure, &["InternalFailure", "InternalError", "InternalServerError"]),
        (
            Self::InvalidClientTokenId,
            &["InvalidClientTokenId", "UnrecognizedClientException", "UnrecognizedClient"],
        ),
        (Self::InvalidIdentityToken, &["InvalidIdentityToken", "InvalidIdentityTokenException"]),
        (
            Self::InvalidParameter,
            &["InvalidParameterValue", "InvalidParameterCombination", "MissingParameter", "InvalidAction"],
        ),
        (Self::JwtPayloadSizeExceeded, &["JWTPayloadSizeExceeded", "JWTPayloadSizeExceededException"]),
        (Self::MalformedPolicyDocument, &["MalformedPolicyDocument", "MalformedPolicyDocumentException"]),
        (
            Self::MissingAuthenticationToken,
            &["MissingAuthenticationToken", "MissingAuthenticationTokenException"],
        ),
        (Self::OptInRequired, &["OptInRequired"]),
        (Self::PackedPolicyTooLarge, &["PackedPolicyTooLarge", "PackedPolicyTooLargeException"]),
        (Self::RegionDisabled, &["RegionDisabledException", "RegionDisabled"]),
        (Self::RequestExpired, &["RequestExpired"]),
        (Self::RequestTimeTooSkewed, &["RequestTimeTooSkewed"]),
        (Self::ServiceUnavailable, &["ServiceUnavailable"]),
        (
            Self::SessionDurationEscalation,
            &["SessionDurationEscalationException", "SessionDurationEscalation"],
        ),
        (
            Self::SignatureDoesNotMatch,
            &["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature", "AuthFailure"],
        ),
        (
            Self::Throttling,
            &["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"],
        ),
        (Self::ValidationError, &["ValidationError", "ValidationException"]),
    ];

    /// Reads a code.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::NAMES.iter().find(|(_, names)| names.contains(&text)).map_or(Self::Other, |(code, _)| *code)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let names = Self::NAMES.iter().find(|(code, _)| *code == self).map(|(_, names)| *names);
        names.and_then(|names| names.first()).copied().unwrap_or("other_error")
    }

    /// Whether it may go away by itself. `IDPCommunicationError` has status 400, and is worth another attempt all the same
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::IdpCommunicationError | Self::InternalFailure | Self::ServiceUnavailable | Self::Throttling
        )
    }

    /// Whether it is about the keys that signed: others may be taken.
    #[must_use]
    pub const fn is_about_keys(self) -> bool {
        matches!(self, Self::ExpiredToken | Self::InvalidClientTokenId)
    }

    /// Whether a wrong clock can be the reason.
    #[must_use]
    pub const fn is_about_time(self) -> bool {
        matches!(
            self,
            Self::SignatureDoesNotMatch
                | Self::RequestExpired
                | Self::RequestTimeTooSkewed
                | Self::AccessDenied
        )
    }
}

impl fmt::Display for AwsErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_leads_to_its_code() {
        let names: Vec<_> = AwsErrorCode::NAMES
            .iter()
            .flat_map(|(code, names)| names.iter().map(move |name| (*code, *name)))
            .collect();
        for (at, (code, name)) in names.iter().enumerate() {
            assert_eq!(names.iter().position(|(_, other)| other == name), Some(at), "{name}");
            assert_eq!(AwsErrorCode::parse(name), *code);
        }
        assert_eq!(AwsErrorCode::parse("Whatever").as_str(), "other_error");
    }
}
