//! The small issuer of a load: OIDC discovery and the key set, for as long as it runs.

use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::key::SigningKey;

/// A running issuer. It ends with the value.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    server: JoinHandle<()>,
}

/// It cannot listen there.
#[derive(Debug, Error)]
#[error("the key set cannot be served on {address}: {error}; take another address with --jwks-listen")]
pub struct IssuerError {
    address: SocketAddr,
    error: std::io::Error,
}

impl Issuer {
    /// Serves the public half of `key` on `address` (port 0: a free one), under the name `name` or the URL of the address.
    ///
    /// # Errors
    /// When the address is not free.
    pub async fn start(
        address: SocketAddr,
        name: Option<&str>,
        key: &SigningKey,
    ) -> Result<Self, IssuerError> {
        let failed = |error| IssuerError { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let keys = key.key_set();
        // OpenID Connect Discovery 1.0 section 3, as far as a verifier reads it.
        let discovery = json!({
            "issuer": name.unwrap_or(&url), "jwks_uri": format!("{url}/jwks"),
            "id_token_signing_alg_values_supported": [key.algorithm()],
        });
        let router = Router::new()
            .route("/jwks", get(async move || Json(keys)))
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)));
        // It ends with the task only.
        let server = tokio::spawn(async move {
            let _never = axum::serve(listener, router).await;
        });
        Ok(Self { url, server })
    }

    /// Where it is, and what it is called where nobody names it otherwise.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
