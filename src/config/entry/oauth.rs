//! `oauth2` and `oidc`: a request to a token endpoint of RFC 6749.

use super::keys::Way;
use super::{exchange, parameters};
use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::url;
use crate::token::{BodyFormat, ClientAuth, OAuthSettings, TokenEndpoint};

/// Reads the request to the token endpoint. None is told.
pub(super) fn oauth(raw: &raw::Provider, way: Way, at: &At<'_>) -> Option<OAuthSettings> {
    let endpoint = match way {
        Way::OAuth2 => token_endpoint(raw, &at.key("token_endpoint")),
        _ => issuer(raw, &at.key("issuer")),
    };
    let grant = exchange::grant(raw, at);
    let client_auth = client_auth(raw, at);
    let scopes = parameters::scopes(raw.scopes.as_ref(), &at.key("scopes"));
    let audience = raw.audience.as_ref().map(|text| parameters::audience(text, &at.key("audience")));
    let resource = raw.resource.as_ref().map(|raw| parameters::resource(raw, &at.key("resource")));
    let extra = raw.extra_params.as_ref().map(|raw| parameters::extra(raw, &at.key("extra_params")));
    Some(OAuthSettings {
        endpoint: endpoint?,
        grant: grant?,
        client_auth,
        scopes,
        audience: match audience {
            Some(None) => return None,
            Some(audience) => audience,
            None => None,
        },
        resource: resource.unwrap_or_default(),
        extra: extra.unwrap_or_default(),
        body: match raw.token_body {
            None | Some(raw::TokenBody::Form) => BodyFormat::Form,
            Some(raw::TokenBody::Json) => BodyFormat::Json,
        },
    })
}

fn token_endpoint(raw: &raw::Provider, at: &At<'_>) -> Option<TokenEndpoint> {
    match &raw.token_endpoint {
        Some(text) => url(text, at).map(TokenEndpoint::At),
        None => at.missing("the URL where tokens are obtained; with auth_type oidc it is discovered"),
    }
}

/// The text as it is written: it is compared with the discovery document's code point by code point.
fn issuer(raw: &raw::Provider, at: &At<'_>) -> Option<TokenEndpoint> {
    let Some(text) = &raw.issuer else {
        return at.missing(
            "the URL whose discovery document names the token endpoint; or federation, for openai and anthropic",
        );
    };
    if text.contains("/.well-known/") {
        at.fault(
            "is the place of a discovery document, not an issuer",
            "the issuer, as the document itself names it".to_owned(),
        );
        return None;
    }
    url(text, at).map(|_| TokenEndpoint::Of { issuer: text.clone() })
}

/// Reads `client_auth`. What does not fit to the rest of the entry is told.
fn client_auth(raw: &raw::Provider, at: &At<'_>) -> Option<ClientAuth> {
    let client_auth = match raw.client_auth? {
        raw::ClientAuth::Basic => ClientAuth::Basic,
        raw::ClientAuth::Post => ClientAuth::Post,
        raw::ClientAuth::PrivateKeyJwt => ClientAuth::PrivateKeyJwt,
        raw::ClientAuth::TlsClientAuth => ClientAuth::TlsClientAuth,
        raw::ClientAuth::None => ClientAuth::None,
    };
    let at_auth = at.key("client_auth");
    let certificate = raw.tls.as_ref().is_some_and(|tls| tls.certificate.is_some());
    let tls_at = at.key("tls");
    let told = tls_at.was_skipped() || tls_at.key("certificate").was_skipped();
    if client_auth == ClientAuth::TlsClientAuth && !certificate && !told {
        at_auth.fault(
            "shows a certificate, and tls.certificate is not there",
            "tls with certificate and private_key".to_owned(),
        );
    }
    // Where credential_ref has to be there, that is told already.
    let named = raw.credential_ref.is_some() || at.key("credential_ref").was_skipped();
    let optional = matches!(raw.grant, Some(raw::Grant::TokenExchange | raw::Grant::JwtBearer));
    if client_auth != ClientAuth::None && optional && !named {
        at_auth.fault(
            "shows a client, and credential_ref is not there",
            "credential_ref with the secret that has client_id; or client_auth: none".to_owned(),
        );
    }
    Some(client_auth)
}
