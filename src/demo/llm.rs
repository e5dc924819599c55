//! A small LLM provider that refuses wrong keys, and whose answer tells which credentials arrived with the request.
//!
//! `POST /v1/chat/completions` and `GET /v1/models` take an OpenAI key (Bearer), `POST /v1/messages` an Anthropic key
//! (x-api-key). `POST /demo/keys/openai` and `/demo/keys/anthropic` make one more key, as a vendor's console does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::answer::{Refusal, Vendor};
use super::error::Error;

/// Headers that carry credentials at some vendor.
const CREDENTIAL_HEADERS: [&str; 9] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "ocp-apim-subscription-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "x-forwarded-client-cert",
    "cookie",
];
/// Keys that are remembered; older ones are forgotten, so that nobody fills the memory.
const KEYS: usize = 64;

/// The provider's memory.
#[derive(Default)]
pub(super) struct Llm {
    keys: Mutex<Vec<(Vendor, String)>>,
    calls: AtomicU64,
    last: Mutex<Vec<u8>>,
}

impl Llm {
    /// Makes a key that is accepted from now on, beside the earlier ones.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub(super) fn new_key(&self, vendor: Vendor) -> Result<String, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|_| Error::NoRandomness)?;
        let key = format!("{}{:032x}", vendor.key_prefix(), u128::from_be_bytes(random));
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() == KEYS {
            keys.remove(0);
        }
        keys.push((vendor, key.clone()));
        Ok(key)
    }

    /// How many requests arrived, with whatever key.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether `text` stands anywhere in the last request that arrived: in a header or in the body.
    pub(super) fn last_request_has(&self, text: &str) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.windows(text.len().max(1)).any(|part| part == text.as_bytes())
    }

    /// The provider over HTTP.
    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/models", get(models))
            .route("/v1/messages", post(messages))
            .route("/demo/keys/{vendor}", post(make_key))
            .with_state(self)
    }

    fn arrived(&self, headers: &HeaderMap, body: &[u8]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clear();
        for (name, value) in headers {
            last.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
        last.extend(body);
    }

    fn judge(&self, vendor: Vendor, headers: &HeaderMap) -> Result<(), Refusal> {
        let presented = match vendor {
            Vendor::OpenAi => only(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ")),
            Vendor::Anthropic => only(headers, "x-api-key"),
        };
        let presented = presented.ok_or(Refusal::NoKey)?;
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.iter().any(|(of, key)| *of == vendor && key == presented);
        known.then_some(()).ok_or(Refusal::WrongKey)
    }

    fn complete(&self, vendor: Vendor, headers: &HeaderMap, body: &[u8]) -> Response {
        self.arrived(headers, body);
        if let Err(refusal) = self.judge(vendor, headers) {
            return vendor.refuse(refusal);
        }
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return vendor.refuse(Refusal::NotJson);
        };
        let text = told(headers);
        match request.get("stream") {
            Some(Value::Bool(true)) => vendor.stream(&text),
            _ => vendor.answer(&text),
        }
    }
}

async fn chat(State(llm): State<Arc<Llm>>, headers: HeaderMap, body: Bytes) -> Response {
    llm.complete(Vendor::OpenAi, &headers, &body)
}

async fn messages(State(llm): State<Arc<Llm>>, headers: HeaderMap, body: Bytes) -> Response {
    llm.complete(Vendor::Anthropic, &headers, &body)
}

async fn models(State(llm): State<Arc<Llm>>, headers: HeaderMap) -> Response {
    llm.arrived(&headers, b"");
    match llm.judge(Vendor::OpenAi, &headers) {
        Ok(()) => {
            let model = json!({"id": "demo", "object": "model", "created": 0, "owned_by": "bouncer-demo"});
            axum::Json(json!({"object": "list", "data": [model]})).into_response()
        }
        Err(refusal) => Vendor::OpenAi.refuse(refusal),
    }
}

async fn make_key(State(llm): State<Arc<Llm>>, Path(vendor): Path<String>) -> Response {
    let vendor = match vendor.as_str() {
        "openai" => Vendor::OpenAi,
        "anthropic" => Vendor::Anthropic,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match llm.new_key(vendor) {
        Ok(key) => ([(header::CONTENT_TYPE, "text/plain")], key).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// `I saw authorization: Bearer …1f9c; no caller token`: which credentials arrived, of each the last four characters.
fn told(headers: &HeaderMap) -> String {
    let mut seen = Vec::new();
    let mut tokens = Vec::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let token = has_jwt(&value);
        if token {
            tokens.push(name.as_str());
        }
        if token || CREDENTIAL_HEADERS.contains(&name.as_str()) {
            let scheme = if value.starts_with("Bearer ") { "Bearer " } else { "" };
            seen.push(format!("{name}: {scheme}{}", masked(&value)));
        }
    }
    let tokens = if tokens.is_empty() {
        String::from("no caller token")
    } else {
        format!("A CALLER TOKEN in {}", tokens.join(", "))
    };
    format!("I saw {}; {tokens}", seen.join(", "))
}

/// `…` and the last four characters, which are enough to tell two keys apart.
pub(super) fn masked(value: &str) -> String {
    let from = value.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    format!("…{}", value.get(from..).unwrap_or_default())
}

/// Whether a part of `value` has the form of a signed token (RFC 7519): `eyJ…`, three parts.
fn has_jwt(value: &str) -> bool {
    value
        .split(|c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c)))
        .any(|part| part.starts_with("eyJ") && part.matches('.').count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    async fn ask(llm: &Llm, vendor: Vendor, lines: &[(&'static str, &str)], body: &str) -> (u16, String) {
        let response = llm.complete(vendor, &headers(lines), body.as_bytes());
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_vendors_own_key_is_answered_and_told_masked() {
        let llm = Llm::default();
        for (vendor, name, prefix) in
            [(Vendor::OpenAi, "authorization", "Bearer "), (Vendor::Anthropic, "x-api-key", "")]
        {
            let key = llm.new_key(vendor).unwrap();
            let (status, body) = ask(&llm, vendor, &[(name, &format!("{prefix}{key}"))], "{}").await;
            let body: Value = serde_json::from_str(&body).unwrap();
            let expected = format!("I saw {name}: {prefix}{}; no caller token", masked(&key));
            assert_eq!((status, vendor.text_of(&body)), (200, Some(expected.as_str())));
            assert!(!body.to_string().contains(&key));
        }
    }

    #[tokio::test]
    async fn other_keys_are_refused_in_the_vendors_shape() {
        let llm = Llm::default();
        let openai = format!("Bearer {}", llm.new_key(Vendor::OpenAi).unwrap());
        let twice: [(&str, &str); 2] = [("authorization", &openai), ("authorization", &openai)];
        let none: &[(&'static str, &str)] = &[];
        let others_key = openai.trim_start_matches("Bearer ");
        let cases = [
            (Vendor::OpenAi, none, "/error/type", "invalid_request_error"),
            (Vendor::OpenAi, &[("authorization", "Bearer sk-x")], "/error/code", "invalid_api_key"),
            (Vendor::OpenAi, &[("x-api-key", &openai)], "/error/type", "invalid_request_error"),
            (Vendor::OpenAi, &twice, "/error/type", "invalid_request_error"),
            (Vendor::Anthropic, &[("authorization", &openai)], "/error/type", "authentication_error"),
            (Vendor::Anthropic, &[("x-api-key", others_key)], "/error/message", "invalid x-api-key"),
        ];
        for (vendor, lines, place, expected) in cases {
            let (status, body) = ask(&llm, vendor, lines, "{}").await;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, body.pointer(place).unwrap()), (401, &json!(expected)), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_callers_token_is_told_wherever_it_arrives() {
        let llm = Llm::default();
        let key = format!("Bearer {}", llm.new_key(Vendor::OpenAi).unwrap());
        for name in ["cookie", "x-anything", "x-api-key"] {
            let lines =
                [("authorization", key.as_str()), (name, "a=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln")];
            let (_, body) = ask(&llm, Vendor::OpenAi, &lines, "{}").await;
            assert!(body.contains(&format!("A CALLER TOKEN in {name}")), "{body}");
            assert!(!body.contains("eyJ"), "{body}");
            assert!(llm.last_request_has("eyJzdWIiOiJhIn0.c2ln"));
        }
        ask(&llm, Vendor::OpenAi, &[("authorization", &key)], "{}").await;
        assert!(!llm.last_request_has("eyJ"));
        assert_eq!(llm.calls(), 4);
    }

    #[tokio::test]
    async fn streams_end_as_the_vendors_do() {
        let llm = Llm::default();
        let openai = format!("Bearer {}", llm.new_key(Vendor::OpenAi).unwrap());
        let anthropic = llm.new_key(Vendor::Anthropic).unwrap();
        let ask_for_stream = r#"{"stream":true}"#;
        let (_, body) = ask(&llm, Vendor::OpenAi, &[("authorization", &openai)], ask_for_stream).await;
        assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
        let (_, body) = ask(&llm, Vendor::Anthropic, &[("x-api-key", &anthropic)], ask_for_stream).await;
        assert!(
            body.starts_with("event: message_start\n") && body.contains("event: message_stop\n"),
            "{body}"
        );
    }
}
