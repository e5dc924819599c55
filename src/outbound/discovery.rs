//! Where an issuer's keys and its token endpoint are (OpenID Connect Discovery 1.0 section 4), and the keys.

use serde::Deserialize;
use url::Url;

use super::{Http, OutboundError, is_secure};
use crate::identity::{IssuerSettings, KeySet, KeySetError};

/// No discovery document and no key set is larger. Real ones have a few KiB.
const LIMIT: usize = 256 << 10;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: Option<String>,
    token_endpoint: Option<String>,
}

/// Fetches the issuer's current key set: from `jwks_uri`, else from where its discovery document says.
///
/// # Errors
/// [`OutboundError`]: keep the set that is in use.
pub(super) async fn key_set(http: &Http, settings: &IssuerSettings) -> Result<KeySet, OutboundError> {
    let uri = match &settings.jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(http, &settings.issuer).await?,
    };
    let document = http.document(&uri, LIMIT).await?;
    KeySet::parse(&document).map_err(|error| match error {
        KeySetError::NotJwks => OutboundError::Document,
        KeySetError::Empty => OutboundError::NoKeys,
    })
}

/// Where the issuer's tokens are obtained, as its discovery document says.
///
/// # Errors
/// [`OutboundError`]: what was found out before may still hold.
pub async fn token_endpoint(http: &Http, issuer: &str) -> Result<Url, OutboundError> {
    let document = fetch(http, issuer).await?;
    secure(document.token_endpoint.as_deref()).ok_or(OutboundError::InsecureTokenEndpoint)
}

async fn discover(http: &Http, issuer: &str) -> Result<Url, OutboundError> {
    let document = fetch(http, issuer).await?;
    match document.jwks_uri {
        Some(uri) => secure(Some(&uri)).ok_or(OutboundError::InsecureJwksUri),
        None => Err(OutboundError::Document),
    }
}

async fn fetch(http: &Http, issuer: &str) -> Result<Discovery, OutboundError> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = format!("{base}/.well-known/openid-configuration");
    let url = Url::parse(&url).map_err(|_| OutboundError::InsecureUrl)?;
    let document = http.document(&url, LIMIT).await?;
    let discovery: Discovery = serde_json::from_slice(&document).map_err(|_| OutboundError::Document)?;
    // Section 4.3: identical, code point by code point; a document of another issuer would lend us its keys.
    if discovery.issuer != issuer {
        return Err(OutboundError::IssuerMismatch);
    }
    Ok(discovery)
}

fn secure(uri: Option<&str>) -> Option<Url> {
    Url::parse(uri?).ok().filter(is_secure)
}
