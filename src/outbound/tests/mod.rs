//! Tests of the client against a server that says whatever a case needs, and of the refresh on paused time.

mod documents;
mod key_sets;
mod proxies;
mod sending;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::identity::{Algorithm, Issuer, IssuerSettings, KeySet, Tally};

/// The public keys of RFC 7517 appendix A.1.
const ONE_KEY: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256","use":"sig",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
const TWO_KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256","use":"sig",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
    {"kty":"EC","crv":"P-256","kid":"2","alg":"ES256","use":"sig",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

/// What the server says at a path.
#[derive(Clone)]
enum Reply {
    /// 200 with this content type and body.
    Ok(&'static str, Vec<u8>),
    /// These bytes as they stand, then the end.
    Raw(String),
    /// 200, then a byte now and then, for ever.
    Drip,
    /// 200, then bytes without an end and without a length.
    Endless,
    /// Nothing at all.
    Silence,
}

/// A server on a loopback port.
#[derive(Clone)]
struct Server {
    origin: String,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { origin, replies: Arc::default(), heads: Arc::default() };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().answer(stream));
            }
        });
        server
    }

    fn at(self, path: &str, reply: Reply) -> Self {
        self.put(path, reply);
        self
    }

    fn put(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin)).unwrap()
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    async fn answer(self, mut stream: TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        // A connection that is closed with something unread is reset, and the reply may be lost.
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await.ok()?;
        self.heads.lock().unwrap().push(head);
        let reply = self.replies.lock().unwrap().get(&path).cloned();
        let start = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        match reply {
            Some(Reply::Ok(kind, body)) => {
                let (ok, length) = ("HTTP/1.1 200 OK\r\nconnection: close", body.len());
                let head = format!("{ok}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                stream.write_all(&body).await.ok()?;
            }
            Some(Reply::Raw(text)) => stream.write_all(text.as_bytes()).await.ok()?,
            Some(Reply::Drip) => {
                stream.write_all(start.as_bytes()).await.ok()?;
                let mut beat = tokio::time::interval(Duration::from_millis(10));
                loop {
                    beat.tick().await;
                    stream.write_all(b" ").await.ok()?;
                }
            }
            Some(Reply::Endless) => {
                stream.write_all(start.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(&[b' '; 4096]).await.ok()?;
                }
            }
            Some(Reply::Silence) => std::future::pending().await,
            None => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.ok()?,
        }
        Some(())
    }
}

fn json(text: &str) -> Reply {
    Reply::Ok("application/json", text.as_bytes().to_vec())
}

fn discovery(issuer: &str, jwks_uri: &str) -> Reply {
    json(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}","x":[]}}"#))
}

fn settings(issuer: &str, jwks_uri: Option<Url>) -> IssuerSettings {
    IssuerSettings {
        issuer: issuer.into(),
        audiences: vec!["llm-gateway".to_owned()],
        jwks_uri,
        algorithms: vec![Algorithm::Es256],
        token_from: vec!["authorization".to_owned()],
        groups_claim: None,
        workloads: Vec::new(),
        leeway: Duration::from_secs(30),
    }
}

fn issuer(issuer: &str, jwks_uri: Option<Url>) -> Arc<Issuer> {
    let settings = settings(issuer, jwks_uri);
    Arc::new(Issuer { settings, keys: ArcSwapOption::empty(), tally: Tally::default() })
}

fn keys(document: &str) -> KeySet {
    KeySet::parse(document.as_bytes()).unwrap()
}
