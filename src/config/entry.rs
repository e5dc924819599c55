//! One provider entry.

use std::sync::Arc;

use super::limits::{duration, nonzero};
use super::matches;
use super::mfa::{self, Fields};
use super::place::At;
use super::raw;
use super::settings::{CredentialSettings, Feedback, ProviderEntry};
use super::wire::header_name;
use super::words;
use crate::provider::{ApiKeyPlacement, AuthType, Provider, ProviderKind};

/// What this version can serve of the matrix.
const SERVED: [AuthType; 1] = [AuthType::ApiKey];

/// What an entry has to know of the rest of the configuration.
#[derive(Debug)]
pub(super) struct Around {
    /// The global section `mfa`.
    pub(super) mfa: Fields,
    /// Whether some issuer can never say that there was MFA.
    pub(super) issuer_without_mfa: bool,
    /// Whether callers can come with a token at all.
    pub(super) tokens: bool,
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
    let served = match (kind, auth) {
        (Some(kind), Some(auth)) => is_served(kind, auth, &at.key("auth_type")),
        _ => false,
    };
    if let Some(auth) = auth {
        foreign_keys(raw, auth, at);
        without_effect(raw, auth, at);
    }
    let mfa = mfa_rule(raw, around, at);
    let matches = matches::matches(raw.r#match.as_ref(), &at.key("match"));
    let credential_ref = credential_ref(raw, auth, at);
    let placement = placement(raw.api_key.as_ref(), kind.unwrap_or(ProviderKind::Custom), &at.key("api_key"));
    if !served {
        return None;
    }
    let provider = Provider { name: Arc::from(name?), kind: kind?, auth: auth?, mfa, matches };
    let credential = CredentialSettings::ApiKey { credential_ref: credential_ref?, placement: placement? };
    Some(ProviderEntry {
        provider,
        credential,
        feedback: Feedback::Off,
        audit_on_rotate: raw.audit_on_rotate.unwrap_or(true),
    })
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

fn is_served(kind: ProviderKind, auth: AuthType, at: &At<'_>) -> bool {
    let of_kind = kind.auth_types();
    let now = |auth: &&AuthType| SERVED.contains(auth);
    if !of_kind.contains(&auth) {
        let allowed = words::list(of_kind.iter().map(|auth| auth.as_str()));
        at.fault(format!("{kind} does not support {auth}", kind = kind.as_str()), allowed);
        return false;
    }
    if !SERVED.contains(&auth) {
        let mut allowed = words::list(of_kind.iter().filter(now).map(|auth| auth.as_str()));
        if allowed.is_empty() {
            allowed = format!("nothing for {} yet", kind.as_str());
        }
        at.fault(format!("{auth} is not available in this version"), allowed);
        return false;
    }
    true
}

/// Keys that mean something only to another auth type: somebody believes that they do something.
fn foreign_keys(raw: &raw::Provider, auth: AuthType, at: &At<'_>) {
    use AuthType::{ApiKey, AwsSigV4, AzureAd, OAuth2, Oidc};
    let keys: [(&str, bool, &[AuthType]); 9] = [
        ("api_key", raw.api_key.is_some(), &[ApiKey]),
        ("scopes", raw.scopes.is_some(), &[OAuth2, Oidc, AzureAd]),
        ("token_endpoint", raw.token_endpoint.is_some(), &[OAuth2]),
        ("issuer", raw.issuer.is_some(), &[Oidc]),
        ("client_auth", raw.client_auth.is_some(), &[OAuth2, Oidc]),
        ("azure_ad", raw.azure_ad.is_some(), &[AzureAd]),
        ("vertex", raw.vertex.is_some(), &[OAuth2, Oidc]),
        ("aws", raw.aws.is_some(), &[AwsSigV4]),
        ("tls", raw.tls.is_some(), &[OAuth2, Oidc, AzureAd]),
    ];
    for (key, present, of) in keys {
        if present && !of.contains(&auth) {
            let of = words::list(of.iter().map(|auth| auth.as_str()));
            at.key(key).fault_at_key(
                format!("{key} means nothing to auth_type {auth}"),
                format!("only with auth_type {of}"),
            );
        }
    }
}

fn without_effect(raw: &raw::Provider, auth: AuthType, at: &At<'_>) {
    if auth == AuthType::ApiKey {
        for (key, present) in
            [("refresh_policy", raw.refresh_policy.is_some()), ("refresh", raw.refresh.is_some())]
        {
            if present {
                at.key(key).warning("has no effect: a static key has nothing to refresh", None);
            }
        }
    }
    let margin_at = at.key("refresh").key("margin");
    if let Some(margin) = raw.refresh.as_ref().and_then(|refresh| refresh.margin.as_ref())
        && let Some(margin) = duration(margin, &margin_at)
    {
        nonzero(margin, &margin_at);
    }
    if raw.audit_on_rotate.is_some() {
        at.key("audit_on_rotate").warning("has no effect in this version: nothing is audited yet", None);
    }
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

fn credential_ref(raw: &raw::Provider, auth: Option<AuthType>, at: &At<'_>) -> Option<String> {
    let at_ref = at.key("credential_ref");
    let Some(text) = raw.credential_ref.as_deref() else {
        if auth == Some(AuthType::ApiKey) && !at_ref.was_skipped() {
            at_ref.fault("is missing", "the name of a secret in the store".to_owned());
        }
        return None;
    };
    // The text is never repeated: it could be the secret itself.
    let allowed = "the name of a secret in the store: a-z, 0-9, - and .";
    let plain = text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if text.contains("://") {
        at_ref.fault("names another store, and this version has only the file store", allowed.to_owned());
    } else if looks_like_a_key(text) {
        at_ref.fault("looks like the secret itself, which belongs into the store", allowed.to_owned());
    } else if !plain {
        at_ref.fault("is not the name of a secret", allowed.to_owned());
    } else {
        return Some(text.to_owned());
    }
    None
}

/// Shapes in which vendors hand out keys.
fn looks_like_a_key(text: &str) -> bool {
    let prefixed = ["sk-", "sk_"].iter().any(|prefix| text.starts_with(prefix)) && text.len() >= 20;
    prefixed || (text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn placement(raw: Option<&raw::ApiKey>, kind: ProviderKind, at: &At<'_>) -> Option<ApiKeyPlacement> {
    let usual = kind.api_key_placement();
    let Some(raw) = raw else { return Some(usual) };
    let header = match &raw.header {
        Some(text) => header_name(text, &at.key("header"))?,
        None => usual.header.clone(),
    };
    let prefix = match &raw.prefix {
        Some(text) => {
            let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !printable || text.starts_with(' ') || text.len() > 32 {
                at.key("prefix").fault(
                    "cannot stand before a key",
                    "at most 32 printable characters, as \"Bearer \"".to_owned(),
                );
                return None;
            }
            text.clone()
        }
        None if header == usual.header => usual.prefix,
        None if header == "authorization" => ApiKeyPlacement::bearer().prefix,
        None => String::new(),
    };
    Some(ApiKeyPlacement { header, prefix })
}
