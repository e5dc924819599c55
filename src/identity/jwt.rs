//! JWTs (RFC 7519) under the rules of RFC 8725: what the claims of a verified signature say, and whether they hold now.

use std::sync::Arc;

use super::json::{Json, Object};
use super::{
    AuthContext, IdentityError, IssuerSettings, Principal, PrincipalKind, TokenError, VerifiedPrincipal,
};
use crate::base::UnixTime;

/// Reads the claims. The signature was verified with a key of `settings.issuer`, and `iss` is that issuer.
///
/// # Errors
/// [`IdentityError::Token`], [`IdentityError::NoSubject`].
pub(super) fn principal(
    settings: &IssuerSettings,
    claims: &Object,
    now: UnixTime,
) -> Result<VerifiedPrincipal, IdentityError> {
    check_audience(settings, claims)?;
    let not_after = check_times(settings, claims, now)?;
    let subject = match claims.member("sub") {
        None => return Err(IdentityError::NoSubject),
        Some(subject) => subject.as_text().ok_or(TokenError::ClaimType)?,
    };
    if is_blank(subject) {
        return Err(IdentityError::NoSubject);
    }
    let principal = Principal {
        issuer: Arc::clone(&settings.issuer),
        subject: subject.into(),
        kind: kind(settings, claims, subject),
        groups: settings.groups_claim.as_deref().map(|name| one_or_many(claims, name)).unwrap_or_default(),
    };
    Ok(VerifiedPrincipal::new(principal, auth_context(claims), not_after))
}

/// Whether a subject names nobody.
pub(super) fn is_blank(subject: &str) -> bool {
    subject.chars().all(|character| character.is_whitespace() || character.is_control())
}

fn check_audience(settings: &IssuerSettings, claims: &Object) -> Result<(), TokenError> {
    let named = match claims.member("aud") {
        None => return Err(TokenError::Audience),
        Some(Json::Text(audience)) => vec![audience.as_str()],
        Some(_) => claims.texts("aud").ok_or(TokenError::ClaimType)?,
    };
    if settings.audiences.iter().any(|wanted| named.contains(&wanted.as_str())) {
        Ok(())
    } else {
        Err(TokenError::Audience)
    }
}

/// Ends with the last second in which the token holds.
fn check_times(settings: &IssuerSettings, claims: &Object, now: UnixTime) -> Result<UnixTime, TokenError> {
    let expiry = claims.member("exp").and_then(Json::as_date).ok_or(TokenError::NoExpiry)?;
    let not_after = whole_seconds(expiry.floor()).plus(settings.leeway);
    if now > not_after {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        let Some(claim) = claims.member(name) else { continue };
        let begin = claim.as_date().ok_or(TokenError::ClaimType)?;
        if whole_seconds(begin.ceil()) > now.plus(settings.leeway) {
            return Err(TokenError::NotYet);
        }
    }
    Ok(not_after)
}

fn kind(settings: &IssuerSettings, claims: &Object, subject: &str) -> PrincipalKind {
    // A subject that only looks like a SPIFFE ID is no person either.
    let scheme = subject.get(.."spiffe:".len());
    let is_workload = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:"))
        || subject.starts_with("system:serviceaccount:")
        || settings
            .workloads
            .iter()
            .any(|mark| claims.member(&mark.claim).is_some_and(|claim| has_value(claim, &mark.value)));
    if is_workload { PrincipalKind::Workload } else { PrincipalKind::Person }
}

fn has_value(claim: &Json, value: &str) -> bool {
    match claim {
        Json::Text(text) => text == value,
        Json::Bool(truth) => value == if *truth { "true" } else { "false" },
        Json::Number(number) => number.to_string() == value,
        Json::List(items) => items.iter().any(|item| has_value(item, value)),
        Json::Null | Json::Object(_) => false,
    }
}

fn auth_context(claims: &Object) -> AuthContext {
    // A string here could be read as one method or as a list: it is read as none (RFC 8176 section 1 says array).
    let amr = claims.texts("amr").unwrap_or_default().into_iter().map(Box::from).collect();
    let acr = claims.text("acr").map(Box::from).into_iter().chain(one_or_many(claims, "acrs")).collect();
    let auth_time =
        claims.member("auth_time").and_then(Json::as_date).map(|time| whole_seconds(time.floor()));
    AuthContext { amr, acr, auth_time }
}

/// A claim that is a string or an array of strings; nothing when it is anything else.
fn one_or_many(claims: &Object, name: &str) -> Box<[Box<str>]> {
    match claims.member(name) {
        Some(Json::Text(text)) => Box::new([text.as_str().into()]),
        _ => claims.texts(name).unwrap_or_default().into_iter().map(Box::from).collect(),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as_date` lets through what lies between 1970 and 9999 only"
)]
fn whole_seconds(date: f64) -> UnixTime {
    UnixTime(date as u64)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
