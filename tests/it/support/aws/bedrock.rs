//! A Bedrock: it verifies every signature, answers as `bedrock-runtime` does, and can be told to fail.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::{http, local, unix_now};
use super::answers::{self, Body, Reply};
use super::{AccessKey, Arrived, Fault, Key, Verified, Verifier, sha256_hex};

/// A running service. It ends with the value.
pub(crate) struct Bedrock {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
}

/// One request that arrived, refused ones too.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query as on the wire.
    pub(crate) target: String,
    /// Every line, names as they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_sha256: String,
    pub(crate) body_length: usize,
    /// What the verifier says, whatever was answered.
    pub(crate) verdict: Result<Verified, Fault>,
    /// What was answered.
    pub(crate) status: u16,
    /// When it came, in seconds of Unix time (the machine's, not the shifted one).
    pub(crate) at: f64,
}

/// An error that the service is told to answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// `ThrottlingException`, as in `x-amzn-errortype`; empty for an answer without that header.
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// Who knows the keys.
pub(super) type KeySource = Box<dyn Fn(&str) -> Option<Key> + Send + Sync>;

struct Shared {
    verifier: Verifier,
    keys: Mutex<HashMap<String, Key>>,
    source: Mutex<Option<KeySource>>,
    api_keys: Mutex<HashSet<String>>,
    expired: Mutex<HashSet<String>>,
    failures: Mutex<VecDeque<Failure>>,
    calls: Mutex<Vec<Call>>,
    signatures: Mutex<Vec<String>>,
    /// Seconds that its clock is ahead of the machine's.
    ahead: AtomicI64,
    held: AtomicBool,
    late: AtomicBool,
    released: (Mutex<usize>, Condvar),
    connections: AtomicUsize,
    over: AtomicBool,
}

impl Failure {
    pub(crate) fn new(status: u16, kind: &str, message: &str) -> Self {
        Self { status, kind: kind.to_owned(), message: message.to_owned() }
    }

    /// 503, which is tried again.
    pub(crate) fn unavailable() -> Self {
        Self::new(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
    }

    /// 429.
    pub(crate) fn throttled() -> Self {
        Self::new(429, "ThrottlingException", "Too many requests, please wait before trying again.")
    }

    /// 403 of IAM: the signature is good and the permission is not there.
    pub(crate) fn access_denied() -> Self {
        let message = "User: arn:aws:sts::123456789012:assumed-role/llm/bouncer is not authorized to perform: bedrock:InvokeModel";
        Self::new(403, "AccessDeniedException", message)
    }
}

impl Bedrock {
    /// One of this region without TLS.
    pub(crate) fn start(region: &str) -> Self {
        Self::with(region, None)
    }

    /// One behind TLS, with `server.pem` and `server.key` of this folder.
    pub(crate) fn start_tls(region: &str, certificates: &Path) -> Self {
        let chain = vec![CertificateDer::from_pem_file(certificates.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(certificates.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        Self::with(region, Some(Arc::new(config)))
    }

    fn with(region: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            verifier: Verifier::new(region, "bedrock"),
            keys: Mutex::default(),
            source: Mutex::default(),
            api_keys: Mutex::default(),
            expired: Mutex::default(),
            failures: Mutex::default(),
            calls: Mutex::default(),
            signatures: Mutex::default(),
            ahead: AtomicI64::new(0),
            held: AtomicBool::new(false),
            late: AtomicBool::new(false),
            released: (Mutex::default(), Condvar::new()),
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let (accepting, encrypted) = (Arc::clone(&shared), tls.is_some());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, tls) = (Arc::clone(&accepting), tls.clone());
                thread::spawn(move || {
                    stream.set_nodelay(true).ok()?;
                    match tls {
                        Some(tls) => {
                            serve(StreamOwned::new(ServerConnection::new(tls).ok()?, stream), &shared)
                        }
                        None => serve(stream, &shared),
                    }
                });
            }
        });
        Self { address, tls: encrypted, shared }
    }

    /// Its base URL; the certificate's name is `localhost`.
    pub(crate) fn url(&self) -> String {
        let port = self.address.port();
        if self.tls { format!("https://localhost:{port}") } else { format!("http://localhost:{port}") }
    }

    /// Knows an IAM user's key from now on.
    pub(crate) fn know(&self, key: &AccessKey) {
        let known = Key { secret: key.secret.clone(), token: key.token.clone() };
        self.shared.keys.lock().unwrap().insert(key.id.clone(), known);
    }

    /// Forgets a key: it was deleted.
    pub(crate) fn forget(&self, id: &str) {
        self.shared.keys.lock().unwrap().remove(id);
    }

    /// Asks this for the keys that it does not know: `moto.key_source()`.
    pub(crate) fn ask_for_keys(&self, source: impl Fn(&str) -> Option<Key> + Send + Sync + 'static) {
        *self.shared.source.lock().unwrap() = Some(Box::new(source));
    }

    /// Takes this Bedrock API key as a bearer token.
    pub(crate) fn take_api_key(&self, key: &str) {
        self.shared.api_keys.lock().unwrap().insert(key.to_owned());
    }

    /// The credentials of this access key id are expired from now on.
    pub(crate) fn expire(&self, access_key_id: &str) {
        self.shared.expired.lock().unwrap().insert(access_key_id.to_owned());
    }

    /// The next requests are answered so, one each, however good they are.
    pub(crate) fn fail_next(&self, failures: impl IntoIterator<Item = Failure>) {
        self.shared.failures.lock().unwrap().extend(failures);
    }

    /// Its clock goes ahead of the machine's by this: `Date`, and the window in which it takes signatures.
    pub(crate) fn shift_clock(&self, seconds: i64) {
        self.shared.ahead.store(seconds, Ordering::SeqCst);
    }

    /// Streams stop after their first event from now on, each until one [`Bedrock::release`].
    pub(crate) fn hold_streams(&self) {
        self.shared.held.store(true, Ordering::SeqCst);
    }

    /// The next answer waits for one [`Bedrock::release`]; its request is written down before.
    pub(crate) fn hold_next(&self) {
        self.shared.late.store(true, Ordering::SeqCst);
    }

    /// One stream or answer that is held goes on.
    pub(crate) fn release(&self) {
        *self.shared.released.0.lock().unwrap() += 1;
        self.shared.released.1.notify_all();
    }

    /// The requests so far, taken away.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls.lock().unwrap())
    }

    /// Good signatures that came, the first of them.
    pub(crate) fn signatures(&self) -> Vec<String> {
        self.shared.signatures.lock().unwrap().clone()
    }

    /// How many connections were ever opened.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Bedrock {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.release();
        let _ = TcpStream::connect(self.address);
    }
}

impl Call {
    /// Every value under this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// What a good signature said; a failure that names what is wrong otherwise.
    pub(crate) fn verified(&self) -> &Verified {
        self.verdict.as_ref().unwrap_or_else(|fault| panic!("{} {}: {fault:#?}", self.method, self.target))
    }
}

impl Shared {
    fn now(&self) -> f64 {
        let ahead = self.ahead.load(Ordering::SeqCst) as f64;
        unix_now() + ahead
    }

    fn key(&self, id: &str) -> Option<Key> {
        let known = self.keys.lock().unwrap().get(id).cloned();
        known.or_else(|| self.source.lock().unwrap().as_ref()?(id))
    }

    fn reply(&self, request: &Arrived<'_>, verdict: &Result<Verified, Fault>) -> Reply {
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Reply::refusal(&failure);
        }
        let bearer = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some(token) = bearer.and_then(|(_, value)| value.strip_prefix("Bearer ")) {
            if self.api_keys.lock().unwrap().contains(token) {
                return answers::answer(request);
            }
            let message = "Authentication failed: Please make sure your API Key is valid.";
            return Reply::refusal(&Failure::new(403, "AccessDeniedException", message));
        }
        match verdict {
            Ok(verified) if self.expired.lock().unwrap().contains(&verified.access_key_id) => {
                let message = "The security token included in the request is expired";
                Reply::refusal(&Failure::new(403, "ExpiredTokenException", message))
            }
            Ok(_) => answers::answer(request),
            Err(fault) => Reply::refusal(&answers::refused(fault)),
        }
    }

    /// Waits for one [`Bedrock::release`].
    fn wait(&self) {
        let mut released = self.released.0.lock().unwrap();
        while *released == 0 && !self.over.load(Ordering::SeqCst) {
            released = self.released.1.wait(released).unwrap();
        }
        *released = released.saturating_sub(1);
    }
}

fn serve(stream: impl Read + Write, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (first, headers) = http::head(&mut reader).ok()?;
        let body = http::body(&mut reader, &headers).ok()?;
        let (at, now) = (unix_now(), shared.now());
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let request = Arrived { method: &method, target: &target, headers: &headers, body: &body };
        let verdict = shared.verifier.verify(&request, |id| shared.key(id), now as i64);
        let reply = shared.reply(&request, &verdict);
        if let Ok(verified) = &verdict {
            let mut signatures = shared.signatures.lock().unwrap();
            // Each is looked for in everything: some are enough.
            if signatures.len() < 20 {
                signatures.push(verified.signature.clone());
            }
        }
        let (body_sha256, body_length) = (sha256_hex(&body), body.len());
        let status = reply.status;
        let call = Call { method, target, headers, body_sha256, body_length, verdict, status, at };
        let late = shared.late.swap(false, Ordering::SeqCst);
        shared.calls.lock().unwrap().push(call);
        if late {
            shared.wait();
        }
        write(reader.get_mut(), &reply, now, shared).ok()?;
    }
}

fn write(stream: &mut impl Write, reply: &Reply, now: f64, shared: &Shared) -> io::Result<()> {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs_f64(now));
    let mut head = format!("HTTP/1.1 {} .\r\ndate: {date}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match &reply.body {
        Body::Whole(body) => {
            head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
            stream.write_all(head.as_bytes())?;
        }
        Body::Events(events) => {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            for (n, event) in events.iter().enumerate() {
                if n == 1 && shared.held.load(Ordering::SeqCst) {
                    stream.flush()?;
                    shared.wait();
                }
                stream.write_all(&[format!("{:x}\r\n", event.len()).as_bytes(), event, b"\r\n"].concat())?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
    }
    stream.flush()
}
