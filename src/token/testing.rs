//! What tests of the OAuth sources share: a token endpoint that says whatever a case needs, and a clock that stands still.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::stub::{self, Reply, Seen, Stub};
use super::{
    ClientTls, Grant, Legs, Material, OAuthGrant, OAuthSettings, Outward, SourceError, Token, TokenEndpoint,
    TokenSettings, TokenSource,
};
use crate::base::{ManualClock, Secret, UnixTime};
use crate::cache::Policy;

pub(super) const NOW: UnixTime = UnixTime(1_800_000_000);

/// Says what it was told to, one reply after the other.
#[derive(Clone)]
pub(super) struct Idp {
    pub(super) origin: String,
    stub: Stub,
    replies: Arc<Mutex<VecDeque<(u16, Lines, String)>>>,
}

type Lines = Vec<(String, String)>;

impl Idp {
    pub(super) async fn start() -> Self {
        let replies = Arc::<Mutex<VecDeque<(u16, Lines, String)>>>::default();
        let left = Arc::clone(&replies);
        let stub = Stub::start(move |_| {
            let mut left = left.lock().unwrap();
            let (status, mut lines, body) = match left.len() {
                0 => (500, Vec::new(), String::new()),
                // The last one is for everybody who comes later.
                1 => left[0].clone(),
                _ => left.pop_front().unwrap(),
            };
            lines.insert(0, ("content-type".to_owned(), "application/json".to_owned()));
            Reply::Text(status, lines, body)
        });
        let stub = stub.await;
        Self { origin: stub.url.origin().ascii_serialization(), stub, replies }
    }

    /// Drops the replies that are left and says these, the last one again and again.
    pub(super) fn says(&self, replies: &[(u16, &str)]) -> &Self {
        let replies = replies.iter().map(|(status, body)| (*status, Vec::new(), (*body).to_owned()));
        *self.replies.lock().unwrap() = replies.collect();
        self
    }

    pub(super) fn says_with(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        *self.replies.lock().unwrap() = [(status, headers.collect(), body.to_owned())].into();
    }

    pub(super) fn asked(&self) -> Vec<Seen> {
        self.stub.seen()
    }

    /// What it was asked last.
    pub(super) fn last(&self) -> Seen {
        self.stub.last()
    }

    pub(super) fn url(&self, path: &str) -> Url {
        self.stub.at(path)
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
    (stub::outward(clock.clone()), clock)
}

pub(super) async fn obtain(source: &dyn TokenSource) -> Result<Token, SourceError> {
    source.obtain(&mut Legs::default()).await
}

pub(super) const GOOD: &str = r#"{"access_token":"good","token_type":"Bearer","expires_in":3600}"#;

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
