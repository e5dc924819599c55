//! `federation`: the token exchanges of OpenAI and Anthropic (PROVIDERS 2.1, 2.2).

use super::exchange::{Types, token_file};
use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::url_or;
use crate::provider::ProviderKind;
use crate::token::{AnthropicFederation, Grant, OpenAiFederation};

const OPENAI: &str = "https://auth.openai.com/oauth/token";
const ANTHROPIC: &str = "https://api.anthropic.com/v1/oauth/token";

/// Reads `federation` with what belongs to it. None is told.
pub(super) fn federation(raw: &raw::Provider, kind: ProviderKind, at: &At<'_>) -> Option<Grant> {
    let own = raw.federation.as_ref()?;
    let own_at = at.key("federation");
    foreign(own, kind, &own_at);
    let (endpoint, token) = (raw.token_endpoint.as_deref(), raw.subject_token.as_ref());
    let (endpoint_at, token_at) = (at.key("token_endpoint"), at.key("subject_token"));
    let required = |text: &Option<String>, key: &str| {
        let at = own_at.key(key);
        match text {
            Some(text) => identifier(text, &at),
            None => at.missing("what the vendor's console shows"),
        }
    };
    match kind {
        ProviderKind::OpenAi => {
            let endpoint = url_or(endpoint, OPENAI, &endpoint_at);
            let subject = token_file(token, Types::JwtOrIdToken, &token_at);
            let identity_provider_id = required(&own.identity_provider_id, "identity_provider_id");
            let service_account_id = required(&own.service_account_id, "service_account_id");
            Some(Grant::OpenAi(OpenAiFederation {
                endpoint: endpoint?,
                subject: subject?,
                identity_provider_id: identity_provider_id?,
                service_account_id: service_account_id?,
            }))
        }
        ProviderKind::Anthropic => {
            let endpoint = url_or(endpoint, ANTHROPIC, &endpoint_at);
            let assertion = token_file(token, Types::Jwt, &token_at);
            let federation_rule_id = required(&own.federation_rule_id, "federation_rule_id");
            let organization_id = required(&own.organization_id, "organization_id");
            let optional = |text: &Option<String>, key| {
                text.as_ref().and_then(|text| identifier(text, &own_at.key(key)))
            };
            Some(Grant::Anthropic(AnthropicFederation {
                endpoint: endpoint?,
                assertion: assertion?,
                federation_rule_id: federation_rule_id?,
                organization_id: organization_id?,
                service_account_id: optional(&own.service_account_id, "service_account_id"),
                workspace_id: optional(&own.workspace_id, "workspace_id"),
            }))
        }
        _ => None,
    }
}

/// Identifiers of the other vendor.
fn foreign(raw: &raw::Federation, kind: ProviderKind, at: &At<'_>) {
    use ProviderKind::{Anthropic, OpenAi};
    let keys = [
        ("identity_provider_id", &raw.identity_provider_id, OpenAi),
        ("federation_rule_id", &raw.federation_rule_id, Anthropic),
        ("organization_id", &raw.organization_id, Anthropic),
        ("workspace_id", &raw.workspace_id, Anthropic),
    ];
    for (key, value, of) in keys {
        if value.is_some() && of != kind {
            at.key(key).fault_at_key(
                format!("{key} means nothing to provider {}", kind.as_str()),
                format!("only with provider {}", of.as_str()),
            );
        }
    }
}

fn identifier(text: &str, at: &At<'_>) -> Option<String> {
    let fit = !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fit {
        at.fault("is not an identifier", "at most 256 printable characters without blanks".to_owned());
    }
    fit.then(|| text.to_owned())
}
