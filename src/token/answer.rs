//! What a token endpoint's answer must be before its token is used (RFC 6749 section 5.1, RFC 6750, RFC 8693 section 2.2.1).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::endpoint::Answer;
use super::json::{Json, Object};
use super::settings::DEFAULT_LIFE;
use super::{AnswerFault, Description, OAuthCode, SourceErrorKind, Token, TokenValue};
use crate::base::{Expiry, Now, Secret, UnixTime};

/// No access token is longer.
const LONGEST_TOKEN: usize = 16 << 10;

/// A life beyond this is a mistake or a lie, and is cut to [`CLAMPED`].
const YEAR: f64 = 365.0 * 86_400.0;
const CLAMPED: Duration = Duration::from_secs(86_400);

/// The token of `answer`. `asked` is what it is good for where the answer does not say.
///
/// # Errors
/// [`SourceErrorKind::Answer`]: it cannot be used; [`SourceErrorKind::OAuth`] where a server says its error with status 200.
pub(super) fn token(answer: &Answer, asked: &[String]) -> Result<Token, SourceErrorKind> {
    read(&object(answer)?, answer.began, asked)
}

/// The body as a JSON object.
pub(super) fn object(answer: &Answer) -> Result<Object, AnswerFault> {
    Object::parse(answer.body()).ok_or(AnswerFault::NotJson)
}

/// The token of an answer that is JSON already.
pub(super) fn read(body: &Object, began: Now, asked: &[String]) -> Result<Token, SourceErrorKind> {
    let Some(value) = body.text("access_token") else {
        return Err(match body.plain("error") {
            Some(code) => SourceErrorKind::OAuth {
                code: OAuthCode::parse(code),
                status: 200,
                description: Description::default(),
                retry_after: None,
            },
            None => AnswerFault::NoToken.into(),
        });
    };
    check_type(body)?;
    check_text(value)?;
    let claims = claims(value);
    for holder in [Some(body), claims.as_ref()].into_iter().flatten() {
        check_unbound(holder)?;
    }
    let expiry = expiry(body, claims.as_ref(), began)?;
    if expiry.is_over(began) {
        return Err(AnswerFault::Over.into());
    }
    let refresh_in = body.member("refresh_in").and_then(life);
    let scopes = scopes(body).unwrap_or_else(|| asked.to_vec());
    Ok(Token { value: TokenValue::Bearer(value.clone()), expiry: Some(expiry), refresh_in, scopes })
}

/// `iss` of an access token that is a JWT. Nothing of it is verified: it is the provider who has to.
pub(super) fn issuer(token: &Token) -> Option<String> {
    claims(token.bearer()?)?.plain("iss").map(str::to_owned)
}

/// Missing or `Bearer` (RFC 6750): every other type asks more of a request than a header.
fn check_type(body: &Object) -> Result<(), AnswerFault> {
    match body.member("token_type") {
        None => Ok(()),
        Some(Json::Text(kind)) if kind.expose().eq_ignore_ascii_case("bearer") => Ok(()),
        Some(Json::Text(kind)) if kind.expose().eq_ignore_ascii_case("dpop") => Err(AnswerFault::DPoP),
        Some(_) => Err(AnswerFault::TokenType),
    }
}

/// Whether a text can be a token in a header.
pub(super) fn check_text(token: &Secret<String>) -> Result<(), AnswerFault> {
    let token = token.expose();
    if token.is_empty() {
        return Err(AnswerFault::NoToken);
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AnswerFault::UnfitToken);
    }
    Ok(())
}

/// `cnf` (RFC 7800): the token is good only with a key that the proxy does not have.
fn check_unbound(holder: &Object) -> Result<(), AnswerFault> {
    match holder.member("cnf") {
        None | Some(Json::Null) => Ok(()),
        // RFC 9449 section 6.1.
        Some(Json::Object(cnf)) if cnf.member("jkt").is_some() => Err(AnswerFault::DPoP),
        Some(_) => Err(AnswerFault::CertificateBound),
    }
}

/// The earliest end that the answer or the token itself names.
fn expiry(body: &Object, claims: Option<&Object>, began: Now) -> Result<Expiry, AnswerFault> {
    let at = |end: f64| {
        let end = UnixTime(whole_seconds(end));
        if end.since(began.unix).as_secs_f64() > YEAR {
            Expiry::after(began, CLAMPED)
        } else {
            Expiry::at(began, end)
        }
    };
    let mut found = None;
    let mut take = |expiry: Expiry| found = Some(found.map_or(expiry, |found: Expiry| found.earlier(expiry)));
    if let Some(value) = body.member("expires_in") {
        take(Expiry::after(began, life(value).ok_or(AnswerFault::Life)?));
    }
    // Entra's managed identities: seconds since 1970, as a text.
    if let Some(value) = body.member("expires_on") {
        match number(value) {
            Some(end) => take(at(end)),
            // Some say it as a date for people, and `expires_in` beside it.
            None if body.member("expires_in").is_some() => {}
            None => return Err(AnswerFault::Life),
        }
    }
    if let Some(end) = claims.and_then(|claims| claims.member("exp")).and_then(numeric_date) {
        take(at(end));
    }
    Ok(found.unwrap_or_else(|| Expiry::after(began, DEFAULT_LIFE)))
}

/// A positive whole number of seconds, cut where it is beyond a year.
fn life(value: &Json) -> Option<Duration> {
    let seconds = number(value).filter(|seconds| *seconds >= 1.0)?;
    Some(if seconds > YEAR { CLAMPED } else { Duration::from_secs(whole_seconds(seconds)) })
}

/// Seconds since 1970, with parts of one where the issuer counts them (RFC 7519 section 2).
fn numeric_date(value: &Json) -> Option<f64> {
    match value {
        Json::Number(seconds) if *seconds >= 0.0 => Some(seconds.floor()),
        other => number(other),
    }
}

/// A whole number, also as a text of digits: some servers quote it.
fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) if number.fract() == 0.0 && *number >= 0.0 => Some(*number),
        Json::Text(text) => {
            let text = text.expose();
            let digits =
                !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok())?
        }
        _ => None,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and not negative; what is beyond u64 stays at its end"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds as u64
}

/// `scope` (RFC 6749 section 3.3), a list of words; some servers send an array.
fn scopes(body: &Object) -> Option<Vec<String>> {
    let texts: Vec<&str> = match body.member("scope")? {
        Json::Text(text) => text.expose().split(' ').collect(),
        Json::List(items) => items
            .iter()
            .map(|item| match item {
                Json::Text(text) => Some(text.expose().as_str()),
                _ => None,
            })
            .collect::<Option<_>>()?,
        _ => return None,
    };
    let fit = |scope: &&str| {
        !scope.is_empty() && scope.len() <= 1024 && scope.bytes().all(|byte| byte.is_ascii_graphic())
    };
    Some(texts.into_iter().filter(fit).take(256).map(str::to_owned).collect())
}

/// The claims of a token that is a JWT, unverified.
fn claims(token: &Secret<String>) -> Option<Object> {
    let mut parts = token.expose().split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Object::parse(&zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
