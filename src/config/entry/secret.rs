//! `credential_ref`: the name of a secret, never the secret.

use super::keys::Way;
use crate::config::place::At;
use crate::config::raw;

/// Reads `credential_ref`: the name, or nothing where the way goes without one. None is told.
#[allow(clippy::option_option, reason = "no name, and a wrong one, are two answers")]
pub(super) fn credential_ref(raw: &raw::Provider, way: Option<Way>, at: &At<'_>) -> Option<Option<String>> {
    let needed = is_needed(raw, way, at);
    let at = at.key("credential_ref");
    let Some(text) = raw.credential_ref.as_deref() else {
        return match needed {
            true => at.missing("the name of a secret in the store"),
            false => (!at.was_skipped()).then_some(None),
        };
    };
    // The text is never repeated: it could be the secret itself.
    let allowed = "the name of a secret in the store: a-z, 0-9, - and .";
    let plain = text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if text.contains("://") {
        at.fault("names another store, and this version has only the file store", allowed.to_owned());
    } else if looks_like_a_key(text) {
        at.fault("looks like the secret itself, which belongs into the store", allowed.to_owned());
    } else if !plain {
        at.fault("is not the name of a secret", allowed.to_owned());
    } else {
        return Some(Some(text.to_owned()));
    }
    None
}

/// Clouds know a machine without a secret, and a workload's own token is a proof by itself.
fn is_needed(raw: &raw::Provider, way: Option<Way>, at: &At<'_>) -> bool {
    match way {
        Some(Way::ApiKey) => true,
        Some(Way::OAuth2 | Way::Oidc) => {
            matches!(raw.grant, None | Some(raw::Grant::ClientCredentials)) && !at.key("grant").was_skipped()
        }
        Some(Way::Federation | Way::Google | Way::Azure | Way::Aws) | None => false,
    }
}

fn looks_like_a_key(text: &str) -> bool {
    is_prefixed_key(text) || (text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The shape in which most vendors hand out keys.
pub(super) fn is_prefixed_key(text: &str) -> bool {
    ["sk-", "sk_"].iter().any(|prefix| text.starts_with(prefix)) && text.len() >= 20
}
