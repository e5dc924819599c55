//! A server for tests of the sources: it keeps what it is asked, and answers as a case says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use serde_json::Value;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;
use url::Url;

use super::{Legs, Material, Outward, SourceError, Token, TokenSource};
use crate::base::{Clock, Secret};
use crate::outbound::Http;
use crate::secrets::{ReadError, SecretSource};

/// A server on a loopback port.
#[derive(Clone)]
pub(super) struct Stub {
    pub(super) url: Url,
    inner: Arc<Inner>,
}

struct Inner {
    seen: Mutex<Vec<Seen>>,
    answer: Mutex<Arc<Answering>>,
}

type Answering = dyn Fn(&Seen) -> Reply + Send + Sync;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// One answer.
pub(super) enum Reply {
    Json(u16, Value),
    /// Status, header lines, body.
    Text(u16, Vec<(String, String)>, String),
    /// None at all.
    Silence,
}

impl Stub {
    /// A server that answers as `answer` says.
    pub(super) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let inner = Arc::new(Inner { seen: Mutex::default(), answer: Mutex::new(Arc::new(answer)) });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// From now on it answers so.
    pub(super) fn answers(&self, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.inner.answer.lock().unwrap() = Arc::new(answer);
    }

    /// What it was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// The last of it.
    pub(super) fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }

    /// Its URL of `path`.
    pub(super) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }
}

impl Seen {
    /// The parameters of a form, each once.
    pub(super) fn form(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (name, value) in self.pairs() {
            assert!(all.insert(name, value).is_none(), "twice");
        }
        all
    }

    /// The parameters of a form in their order.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    /// The first parameter `name` of a form.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What every source works with.
pub(super) fn outward(clock: Arc<dyn Clock>) -> Outward {
    Outward::new(Http::new().unwrap(), clock)
}

/// What a secret `sp` with these fields holds; without any, what an entry without a secret has.
pub(super) fn material(fields: &[(&'static str, &str)]) -> Material {
    if fields.is_empty() {
        return Material::default();
    }
    let fields = fields.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    Material::read(&Fields(fields), "sp").unwrap()
}

/// What `source` brings, and over how many legs.
pub(super) async fn obtain(source: &Arc<dyn TokenSource>) -> (Result<Token, SourceError>, Legs) {
    let mut legs = Legs::default();
    let token = source.obtain(&mut legs).await;
    (token, legs)
}

struct Fields(BTreeMap<&'static str, String>);

impl SecretSource for Fields {
    fn read(&self, _: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
        Ok(self.0.get(key).cloned().map(Secret::new))
    }
}

/// What any crate logs on this thread, at every level, from here until it is dropped.
pub(super) struct Log(());

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct ToLog;

impl Log {
    pub(super) fn capture() -> Self {
        // For all threads: a place in the code is asked once, by whichever thread passes it first, whether it ever speaks.
        static ALL: Once = Once::new();
        ALL.call_once(|| {
            let here = dynamic_filter_fn(|_, _| LOG.with_borrow(Option::is_some));
            let lines =
                tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| ToLog).with_filter(here);
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines)).unwrap();
        });
        LOG.set(Some(Vec::new()));
        Self(())
    }

    /// What was logged.
    pub(super) fn text(self) -> String {
        String::from_utf8(LOG.take().unwrap()).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LOG.set(None);
    }
}

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn serve(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let seen = Seen {
        method,
        path: uri.path().to_owned(),
        query: query.into_owned().collect(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    inner.seen.lock().unwrap().push(seen.clone());
    let answer = Arc::clone(&*inner.answer.lock().unwrap());
    let status = |status| StatusCode::from_u16(status).unwrap();
    match answer(&seen) {
        Reply::Json(code, value) => {
            (status(code), [("content-type", "application/json")], value.to_string()).into_response()
        }
        Reply::Text(code, lines, body) => {
            let mut response = (status(code), body).into_response();
            for (name, value) in lines {
                response.headers_mut().insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            }
            response
        }
        Reply::Silence => std::future::pending().await,
    }
}
