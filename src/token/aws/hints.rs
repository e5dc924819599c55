//! What an operator should look at when AWS gives no keys.

use super::{ASSUME_ROLE, CONTAINER, INSTANCE, STS, WEB_IDENTITY};
use crate::provider::AwsErrorCode;
use crate::token::{AnswerFault, SourceError, SourceErrorKind};

/// The hint for a failure on one of the legs to AWS.
pub(in crate::token) fn hint(error: &SourceError) -> Option<&'static str> {
    match (&error.kind, error.leg) {
        (SourceErrorKind::Sts { code, .. }, leg) => Some(of_code(*code, leg == WEB_IDENTITY)),
        (SourceErrorKind::Answer(AnswerFault::Over), ASSUME_ROLE | WEB_IDENTITY | STS) => {
            Some("the keys that STS gives end before this machine's clock says now: compare it")
        }
        (SourceErrorKind::Answer(AnswerFault::Over), INSTANCE | CONTAINER) => Some(
            "the metadata service hands out keys that have ended: restart it, or compare this machine's clock",
        ),
        (SourceErrorKind::Answer(_), ASSUME_ROLE | WEB_IDENTITY | STS) => {
            Some("sts_endpoint of the entry: what answers there is not STS")
        }
        (SourceErrorKind::Status { status: 400..=499, .. }, ASSUME_ROLE | WEB_IDENTITY | STS) => Some(
            "what is between here and STS, or sts_endpoint of the entry: STS says a code when it refuses, and this has none",
        ),
        (SourceErrorKind::Outbound(_), INSTANCE) => Some(
            "neither the environment nor a profile names an identity of AWS, and there is no metadata service here: outside AWS the entry needs a credential_ref; in a container on EC2, the instance's hop limit must be 2",
        ),
        (SourceErrorKind::Status { status: 404, .. }, INSTANCE) => {
            Some("this instance has no role: attach one, or give the entry a credential_ref")
        }
        (SourceErrorKind::Status { status: 401 | 403, .. }, INSTANCE) => {
            Some("the instance's metadata service is switched off or refuses sessions (IMDSv2): allow it")
        }
        (SourceErrorKind::Outbound(_), CONTAINER) => Some(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI: nothing answers there; on EKS, the Pod Identity agent",
        ),
        (SourceErrorKind::Status { status: 400..=499, .. }, CONTAINER) => Some(
            "the task's role, or the pod identity association of this service account: there is none, or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE has another pod's token",
        ),
        (SourceErrorKind::Outbound(_), ASSUME_ROLE | WEB_IDENTITY | STS) => Some(
            "the way to STS: aws.region or sts_endpoint, a VPC endpoint of STS, name resolution, firewall or NetworkPolicy, proxy (HTTPS_PROXY)",
        ),
        _ => None,
    }
}

const fn of_code(code: AwsErrorCode, of_web_identity: bool) -> &'static str {
    match code {
        AwsErrorCode::AccessDenied if of_web_identity => {
            "the trust policy of the role: it must allow sts:AssumeRoleWithWebIdentity to the token's issuer, with this subject (system:serviceaccount:NAMESPACE:NAME) and audience (sts.amazonaws.com)"
        }
        AwsErrorCode::AccessDenied => {
            "the trust policy of this hop's role: it must allow sts:AssumeRole to the identity before it, under the same external_id, with sts:TagSession where there are tags and sts:SetSourceIdentity where there is a source_identity; and the policy of the identity before it: it must allow sts:AssumeRole on this role"
        }
        AwsErrorCode::ExpiredToken if of_web_identity => {
            "the web identity token in the file has ended: whoever keeps it fresh (the kubelet) does not, or this machine's clock is wrong"
        }
        AwsErrorCode::ExpiredToken => {
            "the keys that signed have ended: session_token of the secret, where it is one; the hop before is asked for others"
        }
        AwsErrorCode::InvalidClientTokenId => {
            "access_key_id of the secret: AWS does not know it, it was deleted or switched off, its session_token is missing, or it is of another partition; the region must be enabled in the account too"
        }
        AwsErrorCode::InvalidIdentityToken => {
            "the web identity token, or the account's identity provider in IAM: the issuer, its keys or the audience (sts.amazonaws.com) is another one"
        }
        AwsErrorCode::IdpCommunicationError => {
            "the token's issuer: AWS cannot reach its keys (jwks_uri); it is tried again"
        }
        AwsErrorCode::IdpRejectedClaim => {
            "the web identity token: its issuer says that it is not valid any more, or was revoked"
        }
        AwsErrorCode::JwtPayloadSizeExceeded => {
            "the web identity token: its claims are larger than STS takes"
        }
        AwsErrorCode::PackedPolicyTooLarge => {
            "tags of aws.roles: together with those of the hops before they are larger than a session can carry; use fewer or shorter ones"
        }
        AwsErrorCode::RegionDisabled => {
            "aws.region: STS is not switched on in this region for the account; enable the region, or set sts_endpoint to another one's"
        }
        AwsErrorCode::OptInRequired => "the account: it is not signed up for this",
        AwsErrorCode::SessionDurationEscalation => {
            "duration of aws.roles: the session would outlast the one that asks for it; set it shorter"
        }
        AwsErrorCode::ValidationError
        | AwsErrorCode::InvalidParameter
        | AwsErrorCode::MalformedPolicyDocument => {
            "aws.roles of the entry: STS does not take a value; duration must be within the role's own maximum, and 3600s at most where a role assumes it"
        }
        AwsErrorCode::SignatureDoesNotMatch => {
            "secret_access_key is not that of access_key_id; else this machine's clock, or a proxy before sts_endpoint that changes the request"
        }
        AwsErrorCode::RequestExpired | AwsErrorCode::RequestTimeTooSkewed => "the clock of this machine",
        AwsErrorCode::IncompleteSignature | AwsErrorCode::MissingAuthenticationToken => {
            "sts_endpoint of the entry: what is before it takes the signature (authorization) off"
        }
        AwsErrorCode::Throttling => "nothing here: STS is asked too often by this account; it is tried again",
        AwsErrorCode::InternalFailure | AwsErrorCode::ServiceUnavailable => {
            "nothing here: STS does not work in this region; it is tried again"
        }
        AwsErrorCode::Other => "CloudTrail of the role's account: it has the refusal in full",
    }
}
