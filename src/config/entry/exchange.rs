//! Tokens that an exchange begins with, and the grants that take them.

use crate::config::place::At;
use crate::config::raw;
use crate::token::{OAuthGrant, TokenFile};

/// Where the kubelet keeps a pod's own token fresh.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// RFC 8693 section 3.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Which types an exchange takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types {
    /// RFC 8693: whatever has a URN.
    Any,
    /// OpenAI's exchange.
    JwtOrIdToken,
    /// RFC 7523: an assertion is a JWT.
    Jwt,
}

/// Reads `grant` with the tokens that it takes. None is told.
pub(super) fn grant(raw: &raw::Provider, at: &At<'_>) -> Option<OAuthGrant> {
    if at.key("grant").was_skipped() {
        return None;
    }
    let grant = raw.grant.unwrap_or(raw::Grant::ClientCredentials);
    let (subject_at, actor_at) = (at.key("subject_token"), at.key("actor_token"));
    let foreign = |key: &str, of: &str| {
        at.key(key).fault_at_key(
            format!("{key} means nothing to grant {}", name(grant)),
            format!("only with grant {of}"),
        );
    };
    if raw.subject_token.is_some() && matches!(grant, raw::Grant::ClientCredentials) {
        foreign("subject_token", "token_exchange, jwt_bearer");
    }
    if raw.actor_token.is_some() && !matches!(grant, raw::Grant::TokenExchange) {
        foreign("actor_token", "token_exchange");
    }
    let subject = raw.subject_token.as_ref();
    match grant {
        raw::Grant::ClientCredentials => Some(OAuthGrant::ClientCredentials),
        raw::Grant::JwtBearer => {
            Some(OAuthGrant::JwtBearer { assertion: token_file(subject, Types::Jwt, &subject_at)? })
        }
        raw::Grant::TokenExchange => {
            let subject = token_file(subject, Types::Any, &subject_at);
            let actor = match &raw.actor_token {
                Some(raw) if raw.file.is_none() => {
                    return actor_at.key("file").missing("the file with the token of the one who acts");
                }
                Some(raw) => Some(token_file(Some(raw), Types::Any, &actor_at)?),
                None if actor_at.was_skipped() => return None,
                None => None,
            };
            Some(OAuthGrant::TokenExchange { subject: subject?, actor })
        }
    }
}

/// Reads where a token lies and what it is. None is told.
pub(super) fn token_file(raw: Option<&raw::TokenFile>, types: Types, at: &At<'_>) -> Option<TokenFile> {
    let (file_at, type_at) = (at.key("file"), at.key("type"));
    if [at, &file_at, &type_at].iter().any(|at| at.was_skipped()) {
        return None;
    }
    let file = raw.and_then(|raw| raw.file.as_deref()).unwrap_or(SERVICE_ACCOUNT);
    let kind = match raw.and_then(|raw| raw.r#type.as_deref()) {
        Some(text) => token_type(text, types, &type_at)?,
        None => JWT.to_owned(),
    };
    Some(TokenFile { path: at.relative(file), kind })
}

fn token_type(text: &str, types: Types, at: &At<'_>) -> Option<String> {
    let urn = match text {
        "jwt" => JWT,
        "id_token" => ID_TOKEN,
        "access_token" => ACCESS_TOKEN,
        other => other,
    };
    let (fit, allowed) = match types {
        Types::Any => (is_urn(urn), "jwt, id_token, access_token, or a URN"),
        Types::JwtOrIdToken => ([JWT, ID_TOKEN].contains(&urn), "jwt, id_token"),
        Types::Jwt => (urn == JWT, "jwt"),
    };
    if !fit {
        at.fault("is not a type of token that this exchange takes", allowed.to_owned());
    }
    fit.then(|| urn.to_owned())
}

/// RFC 8141, as far as it matters on the wire.
fn is_urn(text: &str) -> bool {
    let rest = text.strip_prefix("urn:").and_then(|rest| rest.split_once(':'));
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'\\'));
    text.len() <= 256 && graphic && rest.is_some_and(|(space, name)| space.len() >= 2 && !name.is_empty())
}

const fn name(grant: raw::Grant) -> &'static str {
    match grant {
        raw::Grant::ClientCredentials => "client_credentials",
        raw::Grant::TokenExchange => "token_exchange",
        raw::Grant::JwtBearer => "jwt_bearer",
    }
}
