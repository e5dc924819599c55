//! Everything together for signatures: the identity provider, bouncer, Envoy, and a Bedrock that verifies.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use super::super::bouncer::Files;
use super::super::envoy_config::Tls;
use super::super::{
    Answer, Bouncer, Certificates, Cluster, Envoy, Front, Grpc, Host, Idp, Log, Placement, Request, Route,
    Secrets, Version, send,
};
use super::{AccessKey, Bedrock};

/// Changes a configuration, beside its files.
type Configure = Box<dyn FnOnce(&mut Value, &Files)>;

/// What a case may want otherwise.
pub(crate) struct SigningSetup {
    pub(crate) placement: Placement,
    pub(crate) version: Version,
    /// The keys in the secret.
    pub(crate) key: AccessKey,
    /// Changes bouncer's configuration before it starts; `providers[0]` is the entry `bedrock`.
    pub(crate) configure: Configure,
    /// Changes bouncer's filters.
    pub(crate) filter: fn(&mut Value),
    /// Changes the front, as routes and clusters.
    pub(crate) front: Box<dyn FnOnce(&mut Front)>,
    /// Changes the whole configuration of Envoy, last of all.
    pub(crate) envoy: Box<dyn FnOnce(&mut Value)>,
    /// What the server's environment says of AWS.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Whether Envoy and Bedrock speak TLS to each other.
    pub(crate) upstream: Option<Arc<Certificates>>,
    /// How much bouncer says.
    pub(crate) log: Log,
}

/// A running world. When it goes, its secrets are looked for in all that anybody could see.
pub(crate) struct SigningWorld {
    pub(crate) idp: Arc<Idp>,
    pub(crate) bouncer: Bouncer,
    pub(crate) front: Envoy,
    pub(crate) bedrock: Bedrock,
    pub(crate) secrets: Secrets,
    answers: Mutex<Vec<String>>,
}

impl SigningSetup {
    pub(crate) fn new(placement: Placement, version: Version) -> Self {
        let key = AccessKey {
            id: "AKIAIOSFODNN7BOUNCER".to_owned(),
            secret: "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".to_owned(),
            token: None,
        };
        Self {
            placement,
            version,
            key,
            configure: Box::new(|_, _| {}),
            filter: |_| {},
            front: Box::new(|_| {}),
            envoy: Box::new(|_| {}),
            environment: Vec::new(),
            upstream: None,
            log: Log::Everything,
        }
    }

    /// Starts it all; the secret `bedrock` has the keys.
    pub(crate) fn start(self) -> SigningWorld {
        let Self {
            placement,
            version,
            key,
            configure,
            filter,
            front: change,
            envoy,
            environment,
            upstream,
            log,
        } = self;
        let (idp, secrets, files) = (Idp::shared(), Secrets::default(), Files::new());
        secrets.add(&key.secret);
        key.token.iter().for_each(|token| secrets.add(token));
        let bedrock = match &upstream {
            Some(certificates) => Bedrock::start_tls("us-east-1", &certificates.path()),
            None => Bedrock::start("us-east-1"),
        };
        bedrock.know(&key);
        files.write_secret("bedrock", "access_key_id", &key.id);
        files.write_secret("bedrock", "secret_access_key", &key.secret);
        key.token.iter().for_each(|token| files.write_secret("bedrock", "session_token", token));
        let mut config = json!({
            "callers": {"jwt": [{"issuer": idp.issuer, "audiences": ["llm-gateway"]}]},
            "providers": [{
                "provider": "bedrock",
                "auth_type": "aws_sigv4",
                "credential_ref": "bedrock",
                "aws": {"region": "us-east-1", "service": "bedrock"},
                "match": {"cluster": ["bedrock"]},
            }],
        });
        // The filter in the listener sees the caller's host; the one in the cluster the real one.
        let host = bedrock.address.to_string();
        if matches!(placement, Placement::Downstream | Placement::ExtAuthz) {
            config["providers"][0]["aws"]["host"] = json!(host);
        }
        configure(&mut config, &files);
        // Keys are obtained at the first request; a machine that is busy with other cases may take its time.
        if config["limits"].is_null() {
            config["limits"] = json!({"patience": "3s"});
        }
        let bouncer = Bouncer::begin_in(files, config, log, environment);
        bouncer.serves();
        let tls = upstream.as_ref().map(|certificates| (certificates.path(), "localhost".to_owned()));
        let mut front = Front {
            placement,
            grpc: match version {
                Version::Oldest => Grpc::Tcp(bouncer.grpc),
                Version::Newest => Grpc::Unix(bouncer.socket.clone()),
            },
            routes: vec![Route {
                domain: "*".to_owned(),
                cluster: "bedrock".to_owned(),
                provider: (placement == Placement::ExtAuthz).then(|| "bedrock".to_owned()),
                ..Route::default()
            }],
            clusters: vec![Cluster {
                name: "bedrock".to_owned(),
                hosts: vec![Host { address: bedrock.address, provider: None }],
                tls,
                ..Cluster::default()
            }],
            message_timeout: "5s".to_owned(),
            tls: Tls::None,
            behind: Vec::new(),
            filter,
        };
        change(&mut front);
        let mut config = front.config();
        rewrite_host(&mut config, &host);
        envoy(&mut config);
        let front = Envoy::start("front", version, &config);
        SigningWorld { idp, bouncer, front, bedrock, secrets, answers: Mutex::default() }
    }
}

/// Every route sends this host, as one to AWS has to.
fn rewrite_host(config: &mut Value, host: &str) {
    let manager = &mut config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    for one in manager["route_config"]["virtual_hosts"].as_array_mut().unwrap() {
        let domain = one["domains"][0].clone();
        one["domains"] = if domain == "*" { json!(["*"]) } else { one["domains"].clone() };
        for route in one["routes"].as_array_mut().unwrap() {
            if route["route"]["auto_host_rewrite"].is_null() {
                route["route"]["host_rewrite_literal"] = json!(host);
            }
        }
    }
}

impl SigningWorld {
    /// The usual one.
    pub(crate) fn of(placement: Placement, version: Version) -> Self {
        SigningSetup::new(placement, version).start()
    }

    /// Where callers connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.front.listener("main")
    }

    /// A caller's token; it must not show up anywhere.
    pub(crate) fn token(&self, caller: &str) -> String {
        let token = self.idp.token_for(caller, "llm-gateway");
        self.secrets.add_token(&token);
        token
    }

    /// Sends a request as `alice`.
    pub(crate) fn ask(&self, request: Request) -> Answer {
        self.ask_as("alice", request)
    }

    /// Sends a request as somebody else.
    pub(crate) fn ask_as(&self, caller: &str, request: Request) -> Answer {
        let request = request.bearer(&self.token(caller)).header("host", "bedrock.llm.example");
        let answer = send(self.address(), &request);
        self.note(&answer);
        answer
    }

    /// The audit's events of this kind, in their order, where it is written to `audit.jsonl`.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.bouncer.files().path("audit.jsonl")).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|one| one["event"] == event).collect()
    }

    /// An answer that a case got in another way, for the search for secrets.
    pub(crate) fn note(&self, answer: &Answer) {
        self.answers.lock().unwrap().push(format!("{:?}\n{}", answer.headers, answer.text()));
    }
}

impl Drop for SigningWorld {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        // A signature is good for five minutes, for whoever has the rest of its request.
        self.bedrock.signatures().iter().for_each(|signature| self.secrets.add(signature));
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
