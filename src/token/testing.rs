//! A token endpoint that says whatever a case needs, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use url::Url;

use super::{
    ClientTls, Grant, Legs, Material, OAuthGrant, OAuthSettings, Outward, SourceError, Token, TokenEndpoint,
    TokenSettings, TokenSource,
};
use crate::base::{ManualClock, Secret, UnixTime};
use crate::cache::Policy;
use crate::outbound::Http;

pub(super) const NOW: UnixTime = UnixTime(1_800_000_000);

/// The server.
#[derive(Clone)]
pub(super) struct Idp {
    pub(super) origin: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
}

type Reply = (u16, Vec<(String, String)>, String);

/// What it was asked once.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Idp {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let idp = Self { origin, inner: Arc::default() };
        let answering = idp.clone();
        let app = axum::Router::new().fallback(
            move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
                let body = String::from_utf8(body.to_vec()).unwrap();
                answering.answer(Asked { method, path: uri.to_string(), headers, body })
            },
        );
        tokio::spawn(async move { axum::serve(listener, app).await });
        idp
    }

    fn answer(&self, asked: Asked) -> (StatusCode, HeaderMap, String) {
        let mut inner = self.inner.lock().unwrap();
        inner.asked.push(asked);
        let (status, headers, body) = match inner.replies.len() {
            0 => (500, Vec::new(), String::new()),
            // The last one is for everybody who comes later.
            1 => inner.replies[0].clone(),
            _ => inner.replies.pop_front().unwrap(),
        };
        let headers =
            headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let name = reqwest::header::CONTENT_TYPE;
        let kind = [(name, reqwest::header::HeaderValue::from_static("application/json"))];
        (StatusCode::from_u16(status).unwrap(), kind.into_iter().chain(headers).collect(), body)
    }

    /// Drops the replies that are left and says these, the last one again and again.
    pub(super) fn says(&self, replies: &[(u16, &str)]) -> &Self {
        let replies = replies.iter().map(|(status, body)| (*status, Vec::new(), (*body).to_owned()));
        self.inner.lock().unwrap().replies = replies.collect();
        self
    }

    pub(super) fn says_with(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.inner.lock().unwrap().replies = [(status, headers.collect(), body.to_owned())].into();
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// What it was asked last.
    pub(super) fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin)).unwrap()
    }

    /// Client credentials at this server.
    pub(super) fn settings(&self) -> OAuthSettings {
        OAuthSettings {
            endpoint: TokenEndpoint::At(self.url("/token")),
            grant: OAuthGrant::ClientCredentials,
            client_auth: None,
            scopes: vec!["llm:read".to_owned(), "llm:invoke".to_owned()],
            audience: None,
            resource: Vec::new(),
            extra: Vec::new(),
            body: super::BodyFormat::Form,
        }
    }
}

pub(super) fn of(grant: Grant) -> TokenSettings {
    TokenSettings {
        secret: Some("idp".to_owned()),
        grant,
        policy: Policy::default(),
        tls: ClientTls::default(),
    }
}

pub(super) fn material(fields: &[(&'static str, &str)]) -> Material {
    Material::of("idp", fields.iter().map(|(key, value)| (*key, Secret::new((*value).to_owned()))))
}

/// The way out, with a clock that stands still.
pub(super) fn outward() -> (Outward, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Outward::new(Http::new().unwrap(), clock.clone()), clock)
}

pub(super) async fn obtain(source: &dyn TokenSource) -> Result<Token, SourceError> {
    source.obtain(&mut Legs::default()).await
}

pub(super) const GOOD: &str = r#"{"access_token":"good","token_type":"Bearer","expires_in":3600}"#;

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
