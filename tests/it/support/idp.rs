//! The identity provider: the real `oidc-provider`, run by `tests/idp/idp.mjs`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::{Process, Request, send, tool};

/// A running identity provider.
pub(crate) struct Idp {
    /// Its issuer URL.
    pub(crate) issuer: String,
    address: SocketAddr,
    _process: Process,
}

impl Idp {
    /// The one that all cases share which leave it as it is. It ends when the tests' process does: its stdin closes.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Idp>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// One of the case's own, to be turned.
    pub(crate) fn start() -> Self {
        let process = Process::start(
            "idp",
            Command::new("node")
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp/idp.mjs"))
                .current_dir(tool("idp")),
        );
        let issuer = process.wait_for("its issuer", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line.get("issuer")?.as_str()?.to_owned())
        });
        let address = issuer.strip_prefix("http://").unwrap().parse().unwrap();
        Self { issuer, address, _process: process }
    }

    /// A token of one of the callers in `idp.mjs`.
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

    /// Adds a caller: `{"sub": …, "claims": {…}, "auth_age": seconds, "ttl": seconds, "alg": …}`.
    pub(crate) fn add_caller(&self, name: &str, caller: Value) {
        self.control("callers", &json!({ name: caller }));
    }

    /// Answers everything with this status, until [`Idp::repair`].
    pub(crate) fn fail(&self, status: u16) {
        self.control("fault", &json!({"status": status}));
    }

    /// Works again.
    pub(crate) fn repair(&self) {
        self.control("fault", &json!({}));
    }

    /// How often an endpoint was asked: `discovery`, `jwks` or `token`.
    pub(crate) fn count(&self, endpoint: &str) -> u64 {
        let request = Request::get("/control/counts").header("host", self.address.to_string());
        send(self.address, &request).json()[endpoint].as_u64().unwrap()
    }

    fn control(&self, what: &str, body: &Value) {
        let answer = send(self.address, &self.post(&format!("/control/{what}"), body.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn post(&self, path: &str, body: String) -> Request {
        Request::post(path, body).header("host", self.address.to_string())
    }
}
