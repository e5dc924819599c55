//! What an operator should look at when Google refuses.

use super::{IMPERSONATION, METADATA, STS};
use crate::token::{AnswerFault, OAuthCode, SourceError, SourceErrorKind};

/// The hint for a failure on one of Google's legs.
pub(in crate::token) fn hint(error: &SourceError) -> Option<&'static str> {
    match (&error.kind, error.leg) {
        (SourceErrorKind::OAuth { code: OAuthCode::InvalidGrant, description, .. }, leg) => {
            let says =
                |text: &str| description.as_deref().is_some_and(|description| description.contains(text));
            if says("short-lived token") || says("Token used too early") {
                Some("the assertion is outside its time: compare this machine's clock")
            } else if says("Invalid JWT Signature") {
                Some("the key was deleted or is another account's: make a new service_account.json")
            } else if says("account not found") {
                Some("the service account was deleted, or client_email is another project's")
            } else if leg == STS {
                Some(
                    "the pool's provider does not take the subject token: compare its issuer, its audience and its expiry",
                )
            } else {
                None
            }
        }
        (SourceErrorKind::OAuth { code: OAuthCode::InvalidTarget, .. }, STS) => {
            Some("no such pool or provider, or it is disabled: compare audience in external_account.json")
        }
        (SourceErrorKind::OAuth { code: OAuthCode::UnauthorizedClient, .. }, STS) => {
            Some("the provider's attribute condition does not hold for this subject token")
        }
        (_, IMPERSONATION) if error.status() == Some(403) => Some(
            "grant this identity roles/iam.workloadIdentityUser on the service account, and enable the IAM Credentials API",
        ),
        (_, IMPERSONATION) if error.status() == Some(404) => {
            Some("there is no such service account: compare service_account_impersonation_url")
        }
        (_, IMPERSONATION) if error.status() == Some(400) => Some(
            "a scope is not known, or token_lifetime_seconds is beyond what the organization allows (1 h by default)",
        ),
        (_, METADATA) if error.status() == Some(404) => {
            Some("this machine or pod has no service account: attach one, or give the entry a credential_ref")
        }
        (SourceErrorKind::Answer(AnswerFault::Over), IMPERSONATION) => {
            Some("expireTime lies behind this machine's clock: compare it")
        }
        (SourceErrorKind::Outbound(_), METADATA) => {
            Some("there is no metadata server here: outside Google Cloud the entry needs a credential_ref")
        }
        _ => None,
    }
}
