//! A small issuer of the case's own: its key set over HTTP, counted, and tokens with whatever claims a case wants.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{http, local, provider};

/// Who must be in `aud`.
pub(crate) const AUDIENCE: &str = "llm-gateway";

/// A running issuer. It ends with the value.
pub(crate) struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The last one signs.
    keys: Mutex<Vec<Key>>,
    fetches: AtomicU64,
    down: AtomicBool,
    over: AtomicBool,
}

struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || answer(&stream, &shared));
            }
        });
        let issuer = Self { address, shared };
        issuer.rotate();
        issuer
    }

    /// `iss`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its entry in `callers.jwt`.
    pub(crate) fn entry(&self) -> Value {
        json!({"issuer": self.url(), "jwks_uri": format!("{}/jwks", self.url()), "audiences": [AUDIENCE]})
    }

    /// Signs with a new key from now on; the old ones stay in the set.
    pub(crate) fn rotate(&self) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        self.shared.keys.lock().unwrap().push(Key { kid: provider::random(), pair });
    }

    /// Answers 503.
    pub(crate) fn fail(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
    }

    /// Works again.
    pub(crate) fn repair(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    /// How often the key set was asked for.
    pub(crate) fn fetches(&self) -> u64 {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// A token of a person without MFA, with these claims changed.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.token_with_header(&json!({}), changes)
    }

    /// The same with these members of its header changed.
    pub(crate) fn token_with_header(&self, header: &Value, changes: &Value) -> String {
        let keys = self.shared.keys.lock().unwrap();
        let key = keys.last().unwrap();
        self.sign(key, &merged(json!({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}), header), changes)
    }

    /// A token whose `kid` nobody has.
    pub(crate) fn token_of_unknown_kid(&self) -> String {
        self.token_with_header(&json!({"kid": provider::random()}), &json!({}))
    }

    fn sign(&self, key: &Key, header: &Value, changes: &Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": self.url(), "sub": "alice", "aud": AUDIENCE, "iat": now, "exp": now + 600,
            "auth_time": now, "amr": ["pwd"], "jti": provider::random(),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(&merged(claims, changes)));
        let signature = key.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn merged(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn answer(mut stream: &TcpStream, shared: &Shared) -> Option<()> {
    http::head(&mut BufReader::new(stream)).ok()?;
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let down = shared.down.load(Ordering::SeqCst);
    let keys: Vec<_> = shared.keys.lock().unwrap().iter().map(jwk).collect();
    let (status, body) = if down { (503, json!({})) } else { (200, json!({ "keys": keys })) };
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .ok()
}

fn jwk(key: &Key) -> Value {
    // The uncompressed point of SEC 1 section 2.3.3: 04, x, y.
    let point = key.pair.public_key().as_ref();
    json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key.kid,
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
    })
}
