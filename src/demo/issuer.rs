//! A small OIDC issuer without passwords: discovery, key set, and tokens for whoever asks. Its keys live as long as it.
//!
//! A person's MFA is a login page in real life (authorization code with `acr_values`, RFC 9470 section 5); here it is the
//! form field `mfa=true`, so that one curl shows it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::error::Error;
use crate::base::{Clock, SystemClock, UnixTime};
use crate::loadtest::SigningKey;

/// `aud` of every token.
pub(super) const AUDIENCE: &str = "llm-gateway";
const LIFETIME: Duration = Duration::from_secs(3_600);
const ACR_MFA: &str = "urn:example:acr:mfa";
const ACR_SINGLE: &str = "urn:example:acr:single";

/// The issuer: its name and its key.
pub(super) struct Issuer {
    name: String,
    key: SigningKey,
}

/// RFC 6749 section 4.4.2, and the demo's own `mfa`.
#[derive(serde::Deserialize)]
struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    mfa: Option<String>,
}

/// How a token came about.
#[derive(Clone, Copy)]
enum Login {
    Password,
    Mfa,
    /// No person: no `amr`, no `auth_time`.
    Machine,
}

impl Issuer {
    /// An issuer with a fresh key. `name` is its `iss`: its own URL, without a slash at the end.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub(super) fn new(name: String) -> Result<Self, Error> {
        Ok(Self { name, key: SigningKey::generate().map_err(|_| Error::NoRandomness)? })
    }

    /// Discovery, key set and token endpoint.
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::new(self))
    }

    fn issue(&self, subject: &str, login: Login, now: UnixTime) -> Result<String, Error> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|_| Error::NoRandomness)?;
        let mut claims = json!({
            "iss": self.name, "aud": AUDIENCE, "sub": subject, "client_id": subject,
            "iat": now.0, "exp": now.plus(LIFETIME).0, "jti": URL_SAFE_NO_PAD.encode(id),
        });
        let more = match login {
            Login::Password => json!({"auth_time": now.0, "amr": ["pwd"], "acr": ACR_SINGLE}),
            Login::Mfa => json!({"auth_time": now.0, "amr": ["pwd", "otp", "mfa"], "acr": ACR_MFA}),
            Login::Machine => json!({"idtyp": "app"}),
        };
        if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
            claims.extend(more);
        }
        self.key.token(&claims).map_err(|_| Error::NoRandomness)
    }
}

/// OpenID Connect Discovery 1.0 section 3, without what this issuer does not have (a login page).
async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let name = &issuer.name;
    Json(json!({
        "issuer": name,
        "token_endpoint": format!("{name}/token"),
        "jwks_uri": format!("{name}/jwks"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.key.algorithm()],
        "token_endpoint_auth_methods_supported": ["none"],
        "acr_values_supported": [ACR_SINGLE, ACR_MFA],
        "claims_supported": ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "auth_time", "amr", "acr", "idtyp"],
    }))
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.key.key_set())
}

async fn token(
    State(issuer): State<Arc<Issuer>>,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return refusal(StatusCode::BAD_REQUEST, "invalid_request") };
    if form.grant_type != "client_credentials" {
        return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let login = match (form.client_id.as_str(), form.mfa.as_deref()) {
        ("alice", None | Some("false")) => Login::Password,
        ("alice", Some("true")) | ("bob-mfa", None | Some("true")) => Login::Mfa,
        ("batch", None | Some("false")) => Login::Machine,
        ("alice" | "bob-mfa" | "batch", _) => return refusal(StatusCode::BAD_REQUEST, "invalid_request"),
        _ => return refusal(StatusCode::UNAUTHORIZED, "invalid_client"),
    };
    match issuer.issue(&form.client_id, login, SystemClock.now().unix) {
        Ok(token) => answer(
            StatusCode::OK,
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs()}),
        ),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// RFC 6749 section 5.2.
fn refusal(status: StatusCode, error: &str) -> Response {
    answer(status, &json!({"error": error}))
}

/// RFC 6749 section 5.1: answers of a token endpoint are not stored.
fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequest;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    const NAME: &str = "http://127.0.0.1:10001";

    async fn ask(form: &str) -> (StatusCode, Value) {
        let issuer = Arc::new(Issuer::new(NAME.into()).unwrap());
        let keys = issuer.key.key_set();
        let request = axum::http::Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(form.to_owned()))
            .unwrap();
        let form = Form::<TokenRequest>::from_request(request, &()).await;
        let response = token(State(issuer), form).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let Some(jwt) = body["access_token"].as_str() else { return (status, body) };
        // A second opinion: another crate reads the key set and verifies the token by it.
        let keys: JwkSet = serde_json::from_value(keys).unwrap();
        let head = jsonwebtoken::decode_header(jwt).unwrap();
        let key = DecodingKey::from_jwk(keys.find(&head.kid.unwrap()).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[NAME]);
        (status, jsonwebtoken::decode::<Value>(jwt, &key, &rules).unwrap().claims)
    }

    #[tokio::test]
    async fn a_person_without_mfa_has_one_factor() {
        let (status, claims) = ask("grant_type=client_credentials&client_id=alice").await;
        assert_eq!(
            (status, &claims["sub"], &claims["amr"]),
            (StatusCode::OK, &json!("alice"), &json!(["pwd"]))
        );
        assert_eq!(claims["auth_time"], claims["iat"]);
    }

    #[tokio::test]
    async fn mfa_shows_in_amr_and_acr() {
        for form in ["client_id=alice&mfa=true", "client_id=bob-mfa"] {
            let (_, claims) = ask(&format!("grant_type=client_credentials&{form}")).await;
            assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
            assert_eq!(claims["acr"], json!(ACR_MFA));
        }
    }

    #[tokio::test]
    async fn a_workload_never_logged_in() {
        let (_, claims) = ask("grant_type=client_credentials&client_id=batch").await;
        assert_eq!(claims["idtyp"], "app");
        assert!(claims.get("amr").is_none() && claims.get("auth_time").is_none());
    }

    #[tokio::test]
    async fn whoever_is_unknown_gets_no_token() {
        let cases = [
            ("grant_type=client_credentials&client_id=mallory", 401, "invalid_client"),
            ("grant_type=client_credentials", 401, "invalid_client"),
            ("grant_type=password&client_id=alice", 400, "unsupported_grant_type"),
            ("grant_type=client_credentials&client_id=batch&mfa=true", 400, "invalid_request"),
        ];
        for (form, status, error) in cases {
            let (got, body) = ask(form).await;
            assert_eq!((got.as_u16(), &body["error"]), (status, &json!(error)), "{form}");
        }
    }
}
