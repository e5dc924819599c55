//! The identity provider: the real `oidc-provider`, run by `tests/idp/idp.mjs`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::{Process, Request, folder, local, send, tool};

/// A running identity provider.
pub(crate) struct Idp {
    /// Its issuer URL.
    pub(crate) issuer: String,
    /// The same behind mutual TLS, where that was asked for.
    pub(crate) tls: Option<String>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    running: Mutex<Running>,
    /// Keeps the port while nobody listens on it.
    _port: TcpSocket,
    _state: TempDir,
}

struct Running {
    process: Process,
    /// What those before it printed.
    before: String,
}

/// One answer of the token endpoint that it really gave: nothing of [`Idp::fail`].
#[derive(Clone, Debug)]
pub(crate) struct Exchanged {
    pub(crate) grant: String,
    /// How the client showed itself.
    pub(crate) auth: String,
    /// None when it went well.
    pub(crate) error: Option<String>,
}

impl Idp {
    /// The one that all cases share which leave it as it is. It ends when the tests' process does: its stdin closes.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Idp>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// One of the case's own, to be turned.
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// The same, and once more behind mutual TLS with the certificates of this folder.
    pub(crate) fn start_with_tls(certificates: PathBuf) -> Self {
        Self::with(Some(certificates))
    }

    fn with(certificates: Option<PathBuf>) -> Self {
        // Bound and not listening: nobody else gets the port, and a caller is refused while the provider is away.
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind(local(0)).unwrap();
        let address = port.local_addr().unwrap();
        let state = folder();
        let file = state.path().join("state.json");
        let command = move || {
            let mut command = Command::new("node");
            command
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp/idp.mjs"))
                .arg(address.port().to_string())
                .arg("--state")
                .arg(&file)
                .current_dir(tool("idp"));
            if let Some(folder) = &certificates {
                command.arg("--tls").arg(folder);
            }
            command
        };
        let (process, ready) = begin(command());
        let text = |name: &str| ready[name].as_str().map(str::to_owned);
        Self {
            issuer: text("issuer").unwrap(),
            tls: text("tls"),
            address,
            command: Box::new(command),
            running: Mutex::new(Running { process, before: String::new() }),
            _port: port,
            _state: state,
        }
    }

    /// Ends it. Who connects is refused, until [`Idp::start_again`].
    pub(crate) fn stop(&self) {
        let mut running = self.running.lock().unwrap();
        running.process.signal(Signal::KILL);
        running.process.wait();
        running.before = format!("{}\n{}", running.before, running.process.text());
    }

    /// Starts it on its old port, with its keys and its clients.
    pub(crate) fn start_again(&self) {
        let (process, ready) = begin((self.command)());
        assert_eq!(ready["issuer"], self.issuer.as_str());
        self.running.lock().unwrap().process = process;
    }

    /// Stops it in the midst of whatever it does: who connects waits.
    pub(crate) fn hang(&self) {
        self.running.lock().unwrap().process.stop();
    }

    /// Goes on after [`Idp::hang`].
    pub(crate) fn go_on(&self) {
        self.running.lock().unwrap().process.signal(Signal::CONT);
    }

    /// A token of one of the callers in `clients.mjs`.
    pub(crate) fn token(&self, caller: &str) -> String {
        self.token_for(caller, "llm-gateway")
    }

    /// A token for another audience.
    pub(crate) fn token_for(&self, caller: &str, audience: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={caller}&client_secret=secret-of-{caller}\
             &resource=urn:bouncer:{audience}"
        );
        let request = self.post("/token", form).header("content-type", "application/x-www-form-urlencoded");
        let answer = send(self.address, &request);
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
    }

    /// Signs with new keys from now on; the old ones stay in the key set.
    pub(crate) fn rotate(&self) {
        self.control("rotate", &json!({"keep": true}));
    }

    /// Shows new keys beside those that sign: the first step of a rotation that is done right.
    pub(crate) fn announce_keys(&self) {
        self.control("rotate", &json!({"sign": "old"}));
    }

    /// Signs with the announced keys: the second step.
    pub(crate) fn sign_with_announced_keys(&self) {
        self.control("rotated", &json!({}));
    }

    /// Shows them alone: the last step.
    pub(crate) fn drop_old_keys(&self) {
        self.control("rotated", &json!({"drop": true}));
    }

    /// Signs with new keys and shows them alone: whatever the old ones signed is worth nothing from now on.
    pub(crate) fn revoke_keys(&self) {
        self.control("rotate", &json!({"keep": false}));
    }

    /// Adds a caller: `{"sub": …, "claims": {…}, "auth_age": seconds, "ttl": seconds, "alg": …}`.
    pub(crate) fn add_caller(&self, name: &str, caller: Value) {
        self.control("callers", &json!({ name: caller }));
    }

    /// Adds or changes a workload, as `clients.mjs` says it. The answer is its private key, where it got one.
    pub(crate) fn add_workload(&self, id: &str, workload: &Value) -> Option<String> {
        let answer = self.control("clients", &json!({ id: workload }));
        answer[id]["private_key"].as_str().map(str::to_owned)
    }

    /// Exchanges tokens of this issuer.
    pub(crate) fn trust(&self, issuer: &str, jwks_uri: &str) {
        self.control("trust", &json!({ issuer: jwks_uri }));
    }

    /// A refresh token, as somebody's consent would bring it.
    pub(crate) fn refresh_token(&self, client: &str, scope: &str) -> String {
        let answer = self.control("refresh_token", &json!({"client": client, "scope": scope}));
        answer["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Answers everything with this status, until [`Idp::repair`].
    pub(crate) fn fail(&self, status: u16) {
        self.control("fault", &json!({"status": status}));
    }

    /// Works again.
    pub(crate) fn repair(&self) {
        self.control("fault", &json!({}));
    }

    /// How often an endpoint was asked since it last started: `discovery`, `jwks` or `token`.
    pub(crate) fn count(&self, endpoint: &str) -> u64 {
        let request = Request::get("/control/counts").header("host", self.address.to_string());
        send(self.address, &request).json()[endpoint].as_u64().unwrap()
    }

    /// Every exchange of a client so far. A token that somebody has is in it.
    pub(crate) fn exchanges(&self, client: &str) -> Vec<Exchanged> {
        let text = {
            let running = self.running.lock().unwrap();
            format!("{}\n{}", running.before, running.process.text())
        };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lines
            .filter(|line| line["exchange"] == client)
            .map(|line| Exchanged {
                grant: text(&line["grant"]),
                auth: text(&line["auth"]),
                error: line["error"].as_str().map(str::to_owned),
            })
            .collect()
    }

    /// How many of them brought a token.
    pub(crate) fn tokens_issued(&self, client: &str) -> usize {
        self.exchanges(client).iter().filter(|exchanged| exchanged.error.is_none()).count()
    }

    fn control(&self, what: &str, body: &Value) -> Value {
        let answer = send(self.address, &self.post(&format!("/control/{what}"), body.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn post(&self, path: &str, body: String) -> Request {
        Request::post(path, body).header("host", self.address.to_string())
    }
}

fn begin(mut command: Command) -> (Process, Value) {
    let process = Process::start("idp", &mut command);
    let ready = process.wait_for("its issuer", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("issuer").is_some().then_some(line)
    });
    (process, ready)
}
