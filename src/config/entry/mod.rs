//! One provider entry.

mod api_key;
mod aws;
mod azure;
mod client_tls;
mod exchange;
mod federation;
mod google;
mod keys;
mod oauth;
mod parameters;
mod refresh;
mod secret;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::environment::Environment;
use super::mfa::{self, Fields};
use super::place::At;
use super::settings::{CredentialSettings, Feedback, ProviderEntry};
use super::{matches, raw, words};
use crate::provider::{AuthType, Provider, ProviderKind};
use crate::token::{Grant, TokenSettings};
use keys::Way;

/// What an entry has to know of the rest of the configuration.
#[derive(Debug)]
pub(super) struct Around {
    /// The global section `mfa`.
    pub(super) mfa: Fields,
    /// Whether some issuer can never say that there was MFA.
    pub(super) issuer_without_mfa: bool,
    /// Whether callers can come with a token at all.
    pub(super) tokens: bool,
    /// The identity that the machine has from others.
    pub(super) environment: Environment,
}

/// The name under which an entry goes, told or not.
pub(super) fn name(raw: &raw::Provider) -> Option<&str> {
    raw.name.as_deref().or(raw.provider.as_deref())
}

/// Reads an entry. None is told.
pub(super) fn entry(raw: &raw::Provider, around: &Around, at: &At<'_>) -> Option<ProviderEntry> {
    let name = checked_name(raw, at);
    let kind = raw.provider.as_ref().and_then(|text| kind(text, &at.key("provider")));
    let auth = raw.auth_type.map(auth_type);
    let way = auth.and_then(|auth| Way::of(raw, kind, auth, at));
    let supported = match (kind, auth) {
        (Some(kind), Some(auth)) => is_supported(kind, auth, &at.key("auth_type")),
        _ => false,
    };
    if let Some(way) = way {
        keys::foreign(raw, way, at);
    }
    let mfa = mfa_rule(raw, around, at);
    let matches = matches::matches(raw.r#match.as_ref(), &at.key("match"));
    let secret = secret::credential_ref(raw, way, at);
    let policy = refresh::policy(raw, way, at);
    let placement =
        api_key::placement(raw.api_key.as_ref(), kind.unwrap_or(ProviderKind::Custom), &at.key("api_key"));
    let credential = match (supported, kind, way) {
        (true, Some(_), Some(Way::ApiKey)) => {
            CredentialSettings::ApiKey { credential_ref: secret??, placement: placement? }
        }
        (true, Some(kind), Some(way)) => {
            let grant = grant(raw, kind, way, around, at);
            let tls = client_tls::client_tls(raw.tls.as_ref(), &at.key("tls"));
            let settings = TokenSettings { secret: secret?, grant: grant?, policy: policy?, tls: tls? };
            CredentialSettings::Token(Box::new(settings))
        }
        _ => return None,
    };
    let provider = Provider { name: Arc::from(name?), kind: kind?, auth: auth?, mfa, matches };
    Some(ProviderEntry {
        feedback: feedback(raw.feedback, provider.auth),
        provider,
        credential,
        audit_on_rotate: raw.audit_on_rotate.unwrap_or(true),
    })
}

/// Reads the way to a token. None is told.
fn grant(raw: &raw::Provider, kind: ProviderKind, way: Way, around: &Around, at: &At<'_>) -> Option<Grant> {
    match way {
        Way::OAuth2 | Way::Oidc => oauth::oauth(raw, way, at).map(Grant::OAuth),
        Way::Federation => federation::federation(raw, kind, at),
        Way::Azure => azure::azure(raw, kind, &around.environment, at).map(Grant::Azure),
        Way::Google => google::google(raw, &around.environment, at).map(Grant::Google),
        Way::Aws => {
            Some(Grant::Aws(aws::aws(raw, kind, name(raw).unwrap_or_default(), &around.environment, at)))
        }
        Way::ApiKey => None,
    }
}

/// A token that is refused is worth another one; a static key that is refused stays what it is.
const fn feedback(raw: Option<raw::Feedback>, auth: AuthType) -> Feedback {
    match (raw, auth) {
        (Some(raw::Feedback::Answer), _) => Feedback::Answer,
        (Some(raw::Feedback::Observe), _) => Feedback::Observe,
        (Some(raw::Feedback::Off), _) | (None, AuthType::ApiKey) => Feedback::Off,
        (None, _) => Feedback::Answer,
    }
}

const fn auth_type(raw: raw::AuthType) -> AuthType {
    match raw {
        raw::AuthType::ApiKey => AuthType::ApiKey,
        raw::AuthType::Oauth2 => AuthType::OAuth2,
        raw::AuthType::Oidc => AuthType::Oidc,
        raw::AuthType::AwsSigv4 => AuthType::AwsSigV4,
        raw::AuthType::AzureAd => AuthType::AzureAd,
    }
}

fn checked_name<'r>(raw: &'r raw::Provider, at: &At<'_>) -> Option<&'r str> {
    let text = name(raw)?;
    let key = if raw.name.is_some() { "name" } else { "provider" };
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let valid = text.len() <= 63
        && text.bytes().all(inner)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if !valid {
        let what =
            if raw.name.is_some() { "is not a name" } else { "does not make a name, and name is not there" };
        at.key(key).fault(what, "a name of at most 63 letters, digits, - _ and .".to_owned());
    }
    valid.then_some(text)
}

fn kind(text: &str, at: &At<'_>) -> Option<ProviderKind> {
    let kind = ProviderKind::parse(text);
    if kind.is_none() {
        let known = ProviderKind::NAMES.split(", ");
        let mut what = format!("{} is not known", words::quoted(text));
        if let Some(nearest) = words::nearest(text, known) {
            what.push_str(&format!(", did you mean {nearest}?"));
        }
        at.fault(what, ProviderKind::NAMES.to_owned());
    }
    kind
}

fn is_supported(kind: ProviderKind, auth: AuthType, at: &At<'_>) -> bool {
    let of_kind = kind.auth_types();
    if !of_kind.contains(&auth) {
        let allowed = words::list(of_kind.iter().map(|auth| auth.as_str()));
        at.fault(format!("{kind} does not support {auth}", kind = kind.as_str()), allowed);
    }
    of_kind.contains(&auth)
}

fn mfa_rule(raw: &raw::Provider, around: &Around, at: &At<'_>) -> Option<crate::policy::MfaRule> {
    let own_at = at.key("mfa");
    let own = mfa::fields(raw.mfa.as_ref(), &own_at);
    let required_at = at.key("mfa_required");
    if raw.mfa_required != Some(true) {
        if raw.mfa.is_some() && !required_at.was_skipped() {
            own_at.warning("has no effect without mfa_required: true", None);
        }
        return None;
    }
    if around.issuer_without_mfa {
        required_at.fault(
            "accounts.google.com is an issuer, and its tokens never say whether there was MFA: its callers could never pass",
            "an issuer whose tokens have amr or acr; or no mfa_required, with MFA enforced at Google".to_owned(),
        );
    }
    if !around.tokens {
        required_at.warning(
            "nobody can pass: only tokens can say that there was MFA, and callers.jwt is not there",
            None,
        );
    }
    let rule = mfa::rule(own, &around.mfa);
    if rule.amr.is_empty() && rule.acr_values.is_empty() {
        required_at.fault(
            "nobody can pass: the section mfa names neither amr nor acr_values",
            "at least one of them".to_owned(),
        );
    }
    Some(rule)
}
