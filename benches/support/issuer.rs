//! The identity provider of the benches: keys made at the start, its key set and a token endpoint on loopback.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Failure;
use super::config::KEY;

/// `aud` of the tokens.
pub(crate) const AUDIENCE: &str = "llm-gateway";

/// An identity provider that runs as long as the runtime does.
pub(crate) struct Issuer {
    /// `iss`.
    pub(crate) issuer: String,
    /// Where its key set is.
    pub(crate) jwks_uri: String,
    /// A token of a person with MFA, about 900 bytes, RS256, good for four hours.
    pub(crate) token: String,
    ed25519: Ed25519KeyPair,
    keys: Arc<Mutex<Vec<Value>>>,
    granted: Arc<AtomicU64>,
}

impl Issuer {
    /// Makes the keys, serves their set on a free port and signs a token.
    ///
    /// # Errors
    /// When there is no port, or a key cannot be made.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| "no RSA key could be made")?;
        let ed25519 = Ed25519KeyPair::generate().map_err(|_| "no Ed25519 key could be made")?;
        let keys = Arc::new(Mutex::new(vec![rsa_jwk(&rsa)?, ed25519_jwk(&ed25519, "many")]));
        let granted = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let (shown, counted) = (Arc::clone(&keys), Arc::clone(&granted));
        let jwks = move || async move {
            let keys = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ([("content-type", "application/json")], json!({"keys": keys}).to_string())
        };
        let long = {
            let counted = Arc::clone(&counted);
            move || async move { grant(&counted, 3600) }
        };
        // So short a life that it is renewed every second.
        let short = move || async move { grant(&counted, 2) };
        let router = Router::new()
            .route("/jwks", get(jwks))
            .route("/token", post(long))
            .route("/short-token", post(short));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let jwks_uri = format!("{issuer}/jwks");
        let token = signed(r#"{"alg":"RS256","typ":"JWT","kid":"bench"}"#, &claims(&issuer)?, |text| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
                .map_err(|_| "the token could not be signed")?;
            Ok(signature)
        })?;
        Ok(Self { issuer, jwks_uri, token, ed25519, keys, granted })
    }

    /// Where a client gets a token of an hour.
    #[must_use]
    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/token", self.issuer)
    }

    /// Where a client gets a token of two seconds.
    #[must_use]
    pub(crate) fn short_token_endpoint(&self) -> String {
        format!("{}/short-token", self.issuer)
    }

    /// How often it handed out a token.
    #[must_use]
    pub(crate) fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// The token of one of very many callers: EdDSA, for it is signed quickly.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(crate) fn token_of(&self, caller: u64) -> Result<String, Failure> {
        self.token_by(&self.ed25519, "many", caller)
    }

    /// Shows a new key beside the others, as an issuer does before it signs with it.
    ///
    /// # Returns
    /// A token that it signed.
    ///
    /// # Errors
    /// When the key cannot be made.
    pub(crate) fn rotate(&self) -> Result<String, Failure> {
        let key = Ed25519KeyPair::generate().map_err(|_| "no Ed25519 key could be made")?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // The two that sign all the others stay; the rotated one of before goes.
        keys.truncate(2);
        let kid = format!("rotated-{}", URL_SAFE_NO_PAD.encode(key.public_key()));
        keys.push(ed25519_jwk(&key, &kid));
        self.token_by(&key, &kid, 0)
    }

    fn token_by(&self, key: &Ed25519KeyPair, kid: &str, caller: u64) -> Result<String, Failure> {
        let mut claims = claims(&self.issuer)?;
        if let Some(subject) = claims.get_mut("sub") {
            *subject = Value::String(format!("caller-{caller:012}"));
        }
        let head = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
        signed(&head, &claims, |text| Ok(key.sign(text).as_ref().to_vec()))
    }
}

fn grant(granted: &AtomicU64, life: u32) -> ([(&'static str, &'static str); 1], String) {
    // As long as the API key, or the two could not be compared; and another one each time, or it would not be a new one.
    let number = granted.fetch_add(1, Ordering::Relaxed);
    let token = format!("{number:0>width$}", width = KEY.len());
    // Only the token that lives for an hour is looked at by those who ask: it is the same every time.
    let token = if life > 60 { KEY.clone() } else { token };
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": life});
    ([("content-type", "application/json")], answer.to_string())
}

fn rsa_jwk(key: &RsaKeyPair) -> Result<Value, Failure> {
    // RSAPublicKey of RFC 8017: for 2048 bits the modulus always stands at 9..265 and the exponent is 65537.
    let modulus = key.public_key().as_ref().get(9..265).ok_or("the public key has an unknown layout")?;
    Ok(json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
        "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"}))
}

fn ed25519_jwk(key: &Ed25519KeyPair, kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(key.public_key())})
}

/// The claims that a company's identity provider would send, and no more padding than that.
fn claims(issuer: &str) -> Result<Value, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(json!({
        "iss": issuer, "sub": "00u1a2b3c4d5e6f7g8h9", "aud": AUDIENCE,
        "iat": now, "nbf": now, "exp": now + 4 * 3600, "auth_time": now - 60,
        "jti": "5f0c6a3e-8f2b-4a63-9c5d-0e6b1f0d7a42",
        "amr": ["pwd", "otp", "mfa"], "acr": "urn:example:loa:2",
        "email": "jane.doe@example.com", "name": "Jane Doe",
        "groups": ["engineering", "llm-users", "search"],
    }))
}

fn signed(
    head: &str,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>,
) -> Result<String, Failure> {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = sign(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
