//! Everything together: the identity provider, the provider, bouncer, and the Envoy between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::bouncer::Files;
use super::envoy_config::Tls;
use super::{
    Answer, Bouncer, Cluster, Envoy, Front, Grpc, Host, Idp, Llm, Placement, ProviderEnvoy, Request, Route,
    Secrets, Seen, Version, send,
};

/// What a case may want otherwise.
pub(crate) struct WorldOptions {
    pub(crate) placement: Placement,
    pub(crate) version: Version,
    /// The shared one, or one that the case turns.
    pub(crate) idp: Arc<Idp>,
    /// The services; `nobody` gets no entry.
    pub(crate) llms: Vec<Llm>,
    /// Changes bouncer's configuration before it starts.
    pub(crate) configure: fn(&mut Value),
    /// Changes the front Envoy's configuration before it starts.
    pub(crate) front: fn(&mut Front),
    pub(crate) tls: Tls,
    /// How far bouncer must have come before callers do.
    pub(crate) until: Until,
    /// Mutual TLS towards bouncer: the authority's folder, and which certificate Envoy shows.
    pub(crate) grpc_tls: Option<(PathBuf, String)>,
}

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its addresses answer.
    Listens,
    /// It has all that it needs to decide.
    Serves,
}

/// A running world. When it goes, the secrets of its fixtures are looked for in all that anybody could see.
pub(crate) struct World {
    pub(crate) idp: Arc<Idp>,
    pub(crate) bouncer: Bouncer,
    pub(crate) front: Envoy,
    pub(crate) provider: ProviderEnvoy,
    pub(crate) secrets: Secrets,
    pub(crate) llms: Vec<Llm>,
    answers: Mutex<Vec<String>>,
}

impl WorldOptions {
    pub(crate) fn new(placement: Placement, version: Version) -> Self {
        let llms = [
            ("openai", "authorization"),
            ("azure", "api-key"),
            ("anthropic", "x-api-key"),
            ("openai-mfa", "authorization"),
            ("nobody", "authorization"),
        ];
        Self {
            placement,
            version,
            idp: Idp::shared(),
            llms: llms.map(|(name, header)| Llm::new(name, header)).to_vec(),
            configure: |_| {},
            front: |_| {},
            tls: Tls::None,
            until: Until::Serves,
            grpc_tls: None,
        }
    }
}

impl World {
    /// The usual one: three kinds of services, one of them twice with MFA required, one service that nobody configured.
    pub(crate) fn start(placement: Placement, version: Version) -> Self {
        Self::with(WorldOptions::new(placement, version))
    }

    pub(crate) fn with(options: WorldOptions) -> Self {
        let WorldOptions {
            placement,
            version,
            idp,
            llms,
            configure,
            front: change_front,
            tls,
            until,
            grpc_tls,
        } = options;
        let secrets = Secrets::default();
        llms.iter().flat_map(|llm| &llm.keys).for_each(|key| secrets.add(key));
        let provider = ProviderEnvoy::start(version, &llms);

        let files = Files::new();
        let entries = llms.iter().filter(|llm| llm.name != "nobody");
        entries.clone().for_each(|llm| files.write_secret(&llm.name, "api_key", &llm.keys[0]));
        let mut config = json!({
            "callers": {"jwt": [{
                "issuer": idp.issuer,
                "audiences": ["llm-gateway"],
                "groups_claim": "groups",
                "workloads": {"idtyp": "app"},
            }]},
            "mfa": {"amr": ["mfa"], "acr_values": ["urn:example:mfa"], "max_age": "8h"},
            "providers": entries.clone().map(entry).collect::<Vec<_>>(),
        });
        if let Some((folder, _)) = &grpc_tls {
            config["listen"]["tls"] = json!({
                "certificate": folder.join("server.pem"),
                "private_key": folder.join("server.key"),
                "client_ca": folder.join("ca.pem"),
                "allowed_peers": ["spiffe://mesh.example/ns/gateway/sa/envoy"],
            });
        }
        configure(&mut config);
        let bouncer = match until {
            Until::Serves => Bouncer::start(files, config),
            Until::Listens => Bouncer::begin(files, config),
        };

        let mut front = Front {
            placement,
            // Both ways, without a world for each.
            grpc: match (version, grpc_tls) {
                (_, Some((folder, name))) => Grpc::Tls(bouncer.grpc, folder, name),
                (Version::Oldest, None) => Grpc::Tcp(bouncer.grpc),
                (Version::Newest, None) => Grpc::Unix(bouncer.socket.clone()),
            },
            routes: llms.iter().map(|llm| route(llm, placement)).collect(),
            clusters: llms.iter().map(|llm| cluster(llm, &provider)).collect(),
            message_timeout: "5s".to_owned(),
            tls,
            behind: Vec::new(),
            filter: |_| {},
        };
        change_front(&mut front);
        let front = Envoy::start("front", version, &front.config());
        Self { idp, bouncer, front, provider, secrets, llms, answers: Mutex::default() }
    }

    /// Where callers connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.front.listener("main")
    }

    /// The host name under which a service is reached.
    pub(crate) fn domain(llm: &str) -> String {
        format!("{llm}.llm.example")
    }

    /// A token of the identity provider; it must not show up anywhere.
    pub(crate) fn token(&self, caller: &str) -> String {
        self.token_for(caller, "llm-gateway")
    }

    pub(crate) fn token_for(&self, caller: &str, audience: &str) -> String {
        let token = self.idp.token_for(caller, audience);
        self.secrets.add_token(&token);
        token
    }

    /// Sends a request to a service.
    pub(crate) fn ask(&self, llm: &str, request: Request) -> Answer {
        let answer = send(self.address(), &request.header("host", Self::domain(llm)));
        self.note(&answer);
        answer
    }

    /// An answer that a case got in another way, for the search for secrets.
    pub(crate) fn note(&self, answer: &Answer) {
        self.answers.lock().unwrap().push(format!("{:?}\n{}", answer.headers, answer.text()));
    }

    /// What reached the services since the last look.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.provider.origin.take()
    }

    /// The current key of a service.
    pub(crate) fn key(&self, llm: &str) -> &str {
        &self.llms.iter().find(|one| one.name == llm).unwrap().keys[0]
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        for (place, text) in self.bouncer.everything_visible() {
            self.secrets.check(place, &text);
        }
        for answer in self.answers.lock().unwrap().iter() {
            self.secrets.check("an answer to a caller", answer);
        }
        self.secrets.check("Envoy's log", &self.front.process.text());
    }
}

fn entry(llm: &Llm) -> Value {
    let kind = match llm.name.as_str() {
        "azure" => "azure-openai",
        "anthropic" => "anthropic",
        name if name.starts_with("openai") => "openai",
        _ => "custom",
    };
    json!({
        "name": llm.name,
        "provider": kind,
        "auth_type": "api_key",
        "credential_ref": llm.name,
        "mfa_required": llm.name.ends_with("-mfa"),
        "match": {"cluster": [llm.name]},
    })
}

fn route(llm: &Llm, placement: Placement) -> Route {
    // ext_authz is not told the cluster: there the route names the entry.
    let named = placement == Placement::ExtAuthz && llm.name != "nobody";
    Route {
        domain: World::domain(&llm.name),
        cluster: llm.name.clone(),
        provider: named.then(|| llm.name.clone()),
        ..Route::default()
    }
}

fn cluster(llm: &Llm, provider: &ProviderEnvoy) -> Cluster {
    let host = Host { address: provider.address(&llm.name), provider: None };
    Cluster { name: llm.name.clone(), hosts: vec![host], ..Cluster::default() }
}
