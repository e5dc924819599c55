//! Everything together where the provider takes tokens: callers with tokens of the shared identity provider, bouncer as a
//! client of one of the case's own, and providers that take what that one issues.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use super::bouncer::{Files, Log};
use super::envoy_config::Tls;
use super::{
    Answer, Bouncer, Cluster, Envoy, Front, Grpc, Host, Idp, Llm, Placement, ProviderEnvoy, Request, Route,
    Secrets, Seen, Version, World, provider, send,
};

/// What a case is made of, before anything but the identity provider runs.
pub(crate) struct TokenSetup {
    pub(crate) placement: Placement,
    pub(crate) version: Version,
    pub(crate) log: Log,
    pub(crate) idp: Idp,
    pub(crate) secrets: Secrets,
    pub(crate) files: Files,
    /// bouncer's entries; the service of an entry has its name.
    pub(crate) entries: Vec<Value>,
    /// Services whose entries lie elsewhere.
    pub(crate) others: Vec<String>,
}

/// A running world. When it goes, the secrets of its fixtures are looked for in all that anybody could see, and the tokens
/// that reached the provider are among them.
pub(crate) struct TokenWorld {
    pub(crate) idp: Idp,
    pub(crate) bouncer: Bouncer,
    pub(crate) front: Envoy,
    pub(crate) provider: ProviderEnvoy,
    pub(crate) secrets: Secrets,
    /// A caller's token.
    pub(crate) caller: String,
    answers: Mutex<Vec<String>>,
}

impl TokenSetup {
    pub(crate) fn new() -> Self {
        Self::of(Idp::start())
    }

    pub(crate) fn of(idp: Idp) -> Self {
        Self {
            placement: Placement::Downstream,
            version: Version::Newest,
            log: Log::Everything,
            idp,
            secrets: Secrets::default(),
            files: Files::new(),
            entries: Vec::new(),
            others: Vec::new(),
        }
    }

    /// A client of the identity provider with a secret of its own, in the store as `name`. Its tokens live for `life` seconds.
    pub(crate) fn client(&self, name: &str, life: u64) -> String {
        let secret = self.new_secret();
        self.idp.add_workload(name, &workload(life, &secret, "client_secret_basic"));
        self.files.write_secret(name, "client_id", name);
        self.files.write_secret(name, "client_secret", &secret);
        secret
    }

    /// The same with an entry that takes its tokens through discovery; `changes` are put over it.
    pub(crate) fn entry(&mut self, name: &str, life: u64, changes: &Value) {
        self.client(name, life);
        let mut entry = json!({
            "name": name, "provider": "custom", "auth_type": "oidc", "credential_ref": name,
            "issuer": self.idp.issuer, "scopes": ["llm:read", "llm:invoke"],
        });
        for (key, value) in changes.as_object().unwrap() {
            entry[key] = value.clone();
        }
        self.entries.push(entry);
    }

    /// A text that nobody may show.
    pub(crate) fn new_secret(&self) -> String {
        let secret = provider::random();
        self.secrets.add(&secret);
        secret
    }

    pub(crate) fn start(self) -> TokenWorld {
        let names = self.entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned());
        let names: Vec<_> = names.chain(self.others).collect();
        let llms: Vec<_> = names.iter().map(|name| Llm::with_tokens(name, &self.idp)).collect();
        let provider = ProviderEnvoy::start(self.version, &llms);
        let callers = Idp::shared();
        let config = json!({
            "callers": {"jwt": [{"issuer": callers.issuer, "audiences": ["llm-gateway"]}]},
            // Room for a machine that does much else; less than Envoy waits.
            "limits": {"patience": "3s"},
            "providers_dir": "providers.d",
            "providers": self.entries,
            "audit": {"sinks": [{"type": "file", "path": "audit.jsonl"}]},
        });
        fs::create_dir_all(self.files.path("providers.d")).unwrap();
        let bouncer = Bouncer::begin_with(self.files, config, self.log);
        bouncer.serves();
        let front = Front {
            placement: self.placement,
            // The path of the socket stays when bouncer is started again.
            grpc: Grpc::Unix(bouncer.socket.clone()),
            routes: names.iter().map(|name| route(name)).collect(),
            clusters: names.iter().map(|name| cluster(name, &provider)).collect(),
            message_timeout: "5s".to_owned(),
            tls: Tls::None,
            behind: Vec::new(),
            filter: |_| {},
        };
        let front = Envoy::start("front", self.version, &front.config());
        let caller = callers.token("alice");
        self.secrets.add_token(&caller);
        TokenWorld {
            idp: self.idp,
            bouncer,
            front,
            provider,
            secrets: self.secrets,
            caller,
            answers: Mutex::default(),
        }
    }
}

impl TokenWorld {
    /// Where callers connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.front.listener("main")
    }

    /// A caller's request to a service, ready to be sent to [`TokenWorld::address`].
    pub(crate) fn request(&self, llm: &str) -> Request {
        Request::post("/v1/chat/completions", "{}").bearer(&self.caller).header("host", World::domain(llm))
    }

    /// Sends one.
    pub(crate) fn ask(&self, llm: &str) -> Answer {
        let answer = send(self.address(), &self.request(llm));
        self.answers.lock().unwrap().push(format!("{:?}\n{}", answer.headers, answer.text()));
        answer
    }

    /// What got past the provider's own check, since the last look. Each one's token was not past its end.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.provider.origin.take();
        let mut tokens = BTreeSet::new();
        for one in &seen {
            let end: f64 = one.all("x-token-exp").concat().parse().unwrap();
            // A second is what the issuer cuts off when it writes a time.
            assert!(one.at < end + 1.0, "{}: a token was used {} s past its end", one.llm, one.at - end);
            tokens.extend(one.all("authorization").concat().strip_prefix("Bearer ").map(str::to_owned));
        }
        tokens.iter().for_each(|token| self.secrets.add_token(token));
        seen
    }

    /// The audit's events of an entry, in their order.
    pub(crate) fn events(&self, event: &str, entry: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.bouncer.files().path("audit.jsonl")).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|one| one["event"] == event && one["provider"] == entry).collect()
    }

    /// `AI_PROVIDER_TOKEN_ROTATED` of an entry.
    pub(crate) fn rotations(&self, entry: &str) -> Vec<Value> {
        self.events("AI_PROVIDER_TOKEN_ROTATED", entry)
    }

    /// `AI_PROVIDER_TOKEN_REFRESH_FAILED` of an entry.
    pub(crate) fn failures(&self, entry: &str) -> Vec<Value> {
        self.events("AI_PROVIDER_TOKEN_REFRESH_FAILED", entry)
    }
}

impl Drop for TokenWorld {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.seen();
        for (place, text) in self.bouncer.everything_visible() {
            self.secrets.check(place, &text);
        }
        for answer in self.answers.lock().unwrap().iter() {
            self.secrets.check("an answer to a caller", answer);
        }
        self.secrets.check("Envoy's log", &self.front.process.text());
        let audit = fs::read_to_string(self.bouncer.files().path("audit.jsonl")).unwrap_or_default();
        self.secrets.check("the audit", &audit);
    }
}

/// A workload as `clients.mjs` wants it.
pub(crate) fn workload(life: u64, secret: &str, auth: &str) -> Value {
    json!({
        "ttl": life, "scope": "llm:read llm:invoke", "resource": "urn:bouncer:llm",
        "metadata": {"client_secret": secret, "token_endpoint_auth_method": auth},
    })
}

fn route(name: &str) -> Route {
    Route {
        domain: World::domain(name),
        cluster: name.to_owned(),
        provider: Some(name.to_owned()),
        ..Route::default()
    }
}

fn cluster(name: &str, provider: &ProviderEnvoy) -> Cluster {
    let host = Host { address: provider.address(name), provider: None };
    Cluster { name: name.to_owned(), hosts: vec![host], ..Cluster::default() }
}
