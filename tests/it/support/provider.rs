//! The provider: an Envoy that refuses wrong keys by `api_key_auth`, one listener a service, before [`Origin`].

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Envoy, Origin, Version, envoy_config, origin};

/// One LLM service.
#[derive(Clone, Debug)]
pub(crate) struct Llm {
    /// Name of its listener, of the cluster towards it and of bouncer's entry for it.
    pub(crate) name: String,
    /// Where it wants its key.
    pub(crate) header: String,
    /// Keys that it takes, the current one first; a second one for the overlap of a rotation.
    pub(crate) keys: Vec<String>,
}

/// The Envoy and the service behind it.
pub(crate) struct ProviderEnvoy {
    envoy: Envoy,
    names: Vec<String>,
    pub(crate) origin: Origin,
}

impl Llm {
    /// A service whose keys look like real ones and occur nowhere else.
    pub(crate) fn new(name: &str, header: &str) -> Self {
        let keys = (1..3).map(|n| format!("sk-{name}-{n}-{}", random())).collect();
        Self { name: name.to_owned(), header: header.to_owned(), keys }
    }
}

impl ProviderEnvoy {
    pub(crate) fn start(version: Version, llms: &[Llm]) -> Self {
        let origin = Origin::start();
        let listeners: Vec<_> = llms.iter().map(listener).collect();
        let cluster = envoy_config::plain_cluster("origin", origin.address);
        let envoy =
            Envoy::start("provider", version, &json!({"listeners": listeners, "clusters": [cluster]}));
        Self { envoy, names: llms.iter().map(|llm| llm.name.clone()).collect(), origin }
    }

    pub(crate) fn address(&self, llm: &str) -> SocketAddr {
        self.envoy.listener(llm)
    }

    /// Requests that arrived at all, refused ones too.
    pub(crate) fn arrived(&self) -> u64 {
        self.names.iter().map(|name| self.envoy.counter(&format!("http.{name}.downstream_rq_total"))).sum()
    }
}

fn listener(llm: &Llm) -> Value {
    let credentials: Vec<_> = llm
        .keys
        .iter()
        .enumerate()
        .map(|(n, key)| json!({"key": key, "client": format!("key-{n}")}))
        .collect();
    let filters = vec![json!({
        "name": "envoy.filters.http.api_key_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            "credentials": credentials,
            "key_sources": [{"header": llm.header}],
        },
    })];
    let hosts = json!([{
        "name": "all", "domains": ["*"], "routes": [{
            "match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "30s"},
            "request_headers_to_add": [{
                "header": {"key": origin::LLM, "value": llm.name},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
        }],
    }]);
    envoy_config::listener(&llm.name, filters, &hosts, &envoy_config::Tls::None)
}

/// 128 bits nobody else has.
pub(super) fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
