//! The provider: an Envoy that refuses wrong keys by `api_key_auth` and wrong tokens by `jwt_authn`, one listener a service,
//! before [`Origin`].

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Envoy, Idp, Origin, Version, envoy_config, origin};

/// One LLM service.
#[derive(Clone, Debug)]
pub(crate) struct Llm {
    /// Name of its listener, of the cluster towards it and of bouncer's entry for it.
    pub(crate) name: String,
    /// Where it wants its key.
    pub(crate) header: String,
    /// Keys that it takes, the current one first; a second one for the overlap of a rotation.
    pub(crate) keys: Vec<String>,
    /// Whose tokens it takes, instead of keys.
    pub(crate) tokens_of: Option<TokensOf>,
}

/// The issuer of the tokens that a service takes.
#[derive(Clone, Debug)]
pub(crate) struct TokensOf {
    pub(crate) issuer: String,
    pub(crate) address: SocketAddr,
    pub(crate) audience: String,
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
        Self { name: name.to_owned(), header: header.to_owned(), keys, tokens_of: None }
    }

    /// A service that takes the tokens of an identity provider whose audience is `llm`.
    pub(crate) fn with_tokens(name: &str, idp: &Idp) -> Self {
        let tokens_of =
            TokensOf { issuer: idp.issuer.clone(), address: idp.address, audience: "llm".to_owned() };
        Self {
            name: name.to_owned(),
            header: "authorization".to_owned(),
            keys: Vec::new(),
            tokens_of: Some(tokens_of),
        }
    }
}

impl ProviderEnvoy {
    pub(crate) fn start(version: Version, llms: &[Llm]) -> Self {
        let origin = Origin::start();
        let listeners: Vec<_> = llms.iter().map(listener).collect();
        let mut clusters = vec![envoy_config::plain_cluster("origin", origin.address)];
        for llm in llms {
            let issuer = llm.tokens_of.as_ref();
            clusters.extend(issuer.map(|of| envoy_config::plain_cluster(&issuer_of(llm), of.address)));
        }
        let envoy = Envoy::start("provider", version, &json!({"listeners": listeners, "clusters": clusters}));
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
    let filters = vec![llm.tokens_of.as_ref().map_or_else(|| keys(llm), |of| tokens(llm, of))];
    // What it saw of a token, as it may be told to anybody.
    let echoed = TOKEN_FACTS.map(|(header, _)| {
        json!({
            "header": {"key": header, "value": format!("%REQ({header})%")},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        })
    });
    let hosts = json!([{
        "name": "all", "domains": ["*"], "routes": [{
            "match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "30s"},
            "request_headers_to_add": [{
                "header": {"key": origin::LLM, "value": llm.name},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
            "response_headers_to_add": if llm.tokens_of.is_some() { json!(echoed) } else { json!([]) },
        }],
    }]);
    envoy_config::listener(&llm.name, filters, &hosts, &envoy_config::Tls::None)
}

fn keys(llm: &Llm) -> Value {
    let credentials: Vec<_> = llm
        .keys
        .iter()
        .enumerate()
        .map(|(n, key)| json!({"key": key, "client": format!("key-{n}")}))
        .collect();
    json!({
        "name": "envoy.filters.http.api_key_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            "credentials": credentials,
            "key_sources": [{"header": llm.header}],
        },
    })
}

/// The header in which [`Origin`] gets each claim of a token that was taken.
pub(super) const TOKEN_FACTS: [(&str, &str); 5] = [
    ("x-token-id", "jti"),
    ("x-token-exp", "exp"),
    ("x-token-sub", "sub"),
    ("x-token-scope", "scope"),
    ("x-token-client", "client_id"),
];

fn tokens(llm: &Llm, of: &TokensOf) -> Value {
    let claims = TOKEN_FACTS.map(|(header, claim)| json!({"header_name": header, "claim_name": claim}));
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"idp": {
                "issuer": of.issuer,
                "audiences": [of.audience],
                // The least that it knows: zero is the default of 60.
                "clock_skew_seconds": 1,
                "forward": true,
                "claim_to_headers": claims,
                "from_headers": [{"name": llm.header, "value_prefix": "Bearer "}],
                "remote_jwks": {
                    "http_uri": {
                        "uri": format!("{}/jwks", of.issuer), "cluster": issuer_of(llm), "timeout": "5s",
                    },
                    // A rotation of keys is noticed within a second, and the last good set serves on while the issuer is down.
                    "cache_duration": "1s",
                    "async_fetch": {"fast_listener": false, "failed_refetch_duration": "1s"},
                },
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
        },
    })
}

fn issuer_of(llm: &Llm) -> String {
    format!("issuer-of-{}", llm.name)
}

/// 128 bits nobody else has.
pub(super) fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
