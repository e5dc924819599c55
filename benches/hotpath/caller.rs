//! The caller of the benchmark and the identity provider behind it: a key made at the start, its JWKS on loopback, one
//! token that has passed MFA.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Failure;
use crate::noop::KEY;

/// `aud` of the token.
pub(crate) const AUDIENCE: &str = "llm-gateway";

/// An identity provider that runs as long as the runtime does.
pub(crate) struct Issuer {
    /// `iss`.
    pub(crate) issuer: String,
    /// Where it hands out the provider's token.
    pub(crate) token_endpoint: String,
    /// Where its key set is.
    pub(crate) jwks_uri: String,
    /// A token of a person with MFA, about 900 bytes, good for an hour.
    pub(crate) token: String,
}

impl Issuer {
    /// Makes a 2048 bit RSA key, serves its key set on a free port and signs a token.
    ///
    /// # Errors
    /// When there is no port, or the key cannot be made.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| "no RSA key could be made")?;
        let jwks = key_set(&key)?.to_string();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let answer = move || async move { ([("content-type", "application/json")], jwks) };
        // Once at the start: the token of the provider, as long as its API key.
        let token = json!({"access_token": *KEY, "token_type": "Bearer", "expires_in": 3600}).to_string();
        let granted = move || async move { ([("content-type", "application/json")], token) };
        let router = Router::new().route("/jwks", get(answer)).route("/token", post(granted));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let token = sign(&key, &claims(&issuer)?)?;
        let at = |path: &str| format!("{issuer}/{path}");
        Ok(Self { jwks_uri: at("jwks"), token_endpoint: at("token"), issuer, token })
    }
}

fn key_set(key: &RsaKeyPair) -> Result<Value, Failure> {
    // RSAPublicKey of RFC 8017: for 2048 bits the modulus always stands at 9..265 and the exponent is 65537.
    let modulus = key.public_key().as_ref().get(9..265).ok_or("the public key has an unknown layout")?;
    Ok(json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
        "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB",
    }]}))
}

/// The claims that a company's identity provider would send, and no more padding than that.
fn claims(issuer: &str) -> Result<Value, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(json!({
        "iss": issuer, "sub": "00u1a2b3c4d5e6f7g8h9", "aud": AUDIENCE,
        "iat": now, "nbf": now, "exp": now + 3600, "auth_time": now - 60,
        "jti": "5f0c6a3e-8f2b-4a63-9c5d-0e6b1f0d7a42",
        "amr": ["pwd", "otp", "mfa"], "acr": "urn:example:loa:2",
        "email": "jane.doe@example.com", "name": "Jane Doe",
        "groups": ["engineering", "llm-users", "search"],
    }))
}

fn sign(key: &RsaKeyPair, claims: &Value) -> Result<String, Failure> {
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": "bench"});
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(head.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "the token could not be signed")?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
