//! Envoy configurations: every way of placing bouncer, from a few facts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where bouncer's filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// One ext_proc in the listener.
    Downstream,
    /// One ext_proc in the clusters.
    Upstream,
    /// One ext_proc in the listener that authenticates, one in the clusters that attaches.
    Pair,
    /// ext_authz in the listener.
    ExtAuthz,
    /// The pair with its first half forgotten: a fault of the operator.
    HalfAPair,
    /// Nowhere: what Envoy does by itself.
    Bare,
}

/// The Envoy in front of the providers.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) placement: Placement,
    pub(crate) grpc: Grpc,
    pub(crate) routes: Vec<Route>,
    pub(crate) clusters: Vec<Cluster>,
    /// How long Envoy waits for an answer, as Envoy writes it.
    pub(crate) message_timeout: String,
    /// A listener `main` without TLS, or with.
    pub(crate) tls: Tls,
    /// Further filters, behind each of bouncer's.
    pub(crate) behind: Vec<Value>,
    /// Changes bouncer's filters.
    pub(crate) filter: fn(&mut Value),
}

/// How Envoy reaches bouncer.
#[derive(Clone, Debug)]
pub(crate) enum Grpc {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// Mutual TLS: the certificate authority's folder, and which of its certificates Envoy shows.
    Tls(SocketAddr, PathBuf, String),
}

/// A virtual host with one route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) domain: String,
    pub(crate) cluster: String,
    /// What the route itself says of the provider: a context extension for ext_authz, initial metadata for ext_proc.
    pub(crate) provider: Option<String>,
    /// How often 5xx is tried again.
    pub(crate) retries: u32,
    /// `filter_metadata`: namespaces, and the keys in each.
    pub(crate) metadata: Value,
}

/// A cluster; its hosts are taken in this order, the next when the one before failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) hosts: Vec<Host>,
    /// As for a route.
    pub(crate) metadata: Value,
    /// TLS towards the hosts: the folder of the authority (`ca.pem`), and the name that is asked for and checked.
    pub(crate) tls: Option<(PathBuf, String)>,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// Host metadata `bouncer.provider`.
    pub(crate) provider: Option<String>,
}

/// What a listener asks of its callers.
#[derive(Clone, Debug)]
pub(crate) enum Tls {
    None,
    /// Its own certificate from this folder; none of the caller.
    Server(PathBuf),
    /// A certificate of this CA, and its own from the same folder (`ca.pem`, `server.pem`, `server.key`).
    Mutual(PathBuf),
}

impl Placement {
    pub(crate) const ALL: [Self; 4] = [Self::Downstream, Self::Upstream, Self::Pair, Self::ExtAuthz];
}

impl Front {
    /// `static_resources`.
    pub(crate) fn config(&self) -> Value {
        let (mut downstream, mut upstream) = match self.placement {
            Placement::Downstream => (vec![self.ext_proc(None)], vec![]),
            Placement::Upstream => (vec![], vec![self.ext_proc(None)]),
            Placement::Pair => {
                (vec![self.ext_proc(Some("downstream"))], vec![self.ext_proc(Some("upstream"))])
            }
            Placement::ExtAuthz => (vec![ext_authz()], vec![]),
            Placement::Bare => (vec![], vec![]),
            Placement::HalfAPair => (vec![], vec![self.ext_proc(Some("upstream"))]),
        };
        for chain in [&mut downstream, &mut upstream].into_iter().filter(|chain| !chain.is_empty()) {
            chain.extend(self.behind.iter().cloned());
        }
        let hosts: Vec<_> = self.routes.iter().map(|route| self.virtual_host(route)).collect();
        let mut clusters: Vec<_> = self.clusters.iter().map(|one| cluster(one, &upstream)).collect();
        clusters.push(bouncer_cluster(&self.grpc));
        let listener = listener("main", downstream, &json!(hosts), &self.tls);
        json!({"listeners": [listener], "clusters": clusters})
    }

    fn virtual_host(&self, route: &Route) -> Value {
        let mut action = json!({"cluster": route.cluster, "timeout": "30s"});
        if route.retries > 0 {
            action["retry_policy"] = json!({
                "retry_on": "5xx",
                "num_retries": route.retries,
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
                "retry_priority": {
                    "name": "envoy.retry_priorities.previous_priorities",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                        "update_frequency": 1,
                    },
                },
            });
        }
        let mut one =
            json!({"match": {"prefix": "/"}, "route": action, "name": format!("to-{}", route.cluster)});
        if !route.metadata.is_null() {
            one["metadata"] = json!({"filter_metadata": route.metadata});
        }
        if let Some(provider) = &route.provider {
            one["typed_per_filter_config"] = self.named(provider);
        }
        json!({
            "name": route.domain,
            "domains": [route.domain, format!("{}:*", route.domain)],
            "include_request_attempt_count": true,
            "routes": [one],
        })
    }

    fn ext_proc(&self, half: Option<&str>) -> Value {
        let mut config = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "bouncer"}, "timeout": "5s"},
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SKIP",
                "request_body_mode": "NONE", "response_body_mode": "NONE",
                "request_trailer_mode": "SKIP", "response_trailer_mode": "SKIP",
            },
            "message_timeout": self.message_timeout,
            "failure_mode_allow": false,
            "allow_mode_override": true,
            "response_attributes": ["response.code_details"],
            "request_attributes": [
                "xds.cluster_name", "xds.route_name", "xds.cluster_metadata", "xds.route_metadata",
                "xds.upstream_host_metadata", "upstream.address", "connection.mtls",
                "connection.uri_san_peer_certificate", "connection.dns_san_peer_certificate",
                "connection.subject_peer_certificate",
            ],
        });
        if let Some(half) = half {
            config["grpc_service"]["initial_metadata"] = json!([{"key": "x-bouncer-half", "value": half}]);
            let direction =
                if half == "downstream" { "receiving_namespaces" } else { "forwarding_namespaces" };
            config["metadata_options"] = json!({ direction: {"untyped": ["bouncer"]} });
        }
        (self.filter)(&mut config);
        json!({"name": "envoy.filters.http.ext_proc", "typed_config": config})
    }

    fn named(&self, provider: &str) -> Value {
        if self.placement == Placement::ExtAuthz {
            return json!({"envoy.filters.http.ext_authz": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
                "check_settings": {"context_extensions": {"provider": provider}},
            }});
        }
        json!({"envoy.filters.http.ext_proc": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
            "overrides": {"grpc_initial_metadata": [{"key": "x-bouncer-provider", "value": provider}]},
        }})
    }
}

/// An HTTP/1 and HTTP/2 listener on a free port.
pub(crate) fn listener(name: &str, mut filters: Vec<Value>, virtual_hosts: &Value, tls: &Tls) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "use_remote_address": true,
        "preserve_external_request_id": true,
        "http_filters": filters,
        "route_config": {"name": name, "virtual_hosts": virtual_hosts},
    });
    let mut chain = json!({});
    match tls {
        Tls::None => {}
        Tls::Server(folder) => chain["transport_socket"] = downstream_tls(folder),
        Tls::Mutual(folder) => {
            manager["forward_client_cert_details"] = json!("SANITIZE_SET");
            manager["set_current_client_cert_details"] = json!({"subject": true, "uri": true, "dns": true});
            chain["transport_socket"] = downstream_tls(folder);
            chain["transport_socket"]["typed_config"]["require_client_certificate"] = json!(true);
        }
    }
    chain["filters"] =
        json!([{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]);
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [chain],
    })
}

/// A cluster of one host and no filter.
pub(crate) fn plain_cluster(name: &str, address: SocketAddr) -> Value {
    let hosts = vec![Host { address, provider: None }];
    cluster(&Cluster { name: name.to_owned(), hosts, ..Cluster::default() }, &[])
}

fn cluster(cluster: &Cluster, upstream_filters: &[Value]) -> Value {
    let endpoints = cluster.hosts.iter().enumerate().map(|(n, one)| {
        let mut host = json!({"endpoint": {"address": socket(one.address)}});
        if let Some(provider) = &one.provider {
            host["metadata"] = json!({"filter_metadata": {"bouncer": {"provider": provider}}});
        }
        json!({"priority": n, "lb_endpoints": [host]})
    });
    let mut value = json!({
        "name": cluster.name,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": cluster.name, "endpoints": endpoints.collect::<Vec<_>>()},
    });
    if !cluster.metadata.is_null() {
        value["metadata"] = json!({"filter_metadata": cluster.metadata});
    }
    if let Some((folder, name)) = &cluster.tls {
        value["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": name,
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": folder.join("ca.pem")},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}],
            }},
        }});
    }
    if !upstream_filters.is_empty() {
        let mut filters = upstream_filters.to_vec();
        filters.push(json!({
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            },
        }));
        value["typed_extension_protocol_options"] = protocol(&json!({
            "explicit_http_config": {"http_protocol_options": {}},
            "http_filters": filters,
        }));
    }
    value
}

fn bouncer_cluster(grpc: &Grpc) -> Value {
    let address = match grpc {
        Grpc::Tcp(address) | Grpc::Tls(address, ..) => socket(*address),
        Grpc::Unix(path) => json!({"pipe": {"path": path}}),
    };
    let mut cluster = json!({
        "name": "bouncer",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "bouncer",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options":
            protocol(&json!({"explicit_http_config": {"http2_protocol_options": {}}})),
    });
    if let Grpc::Tls(_, folder, name) = grpc {
        cluster["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "localhost",
            "common_tls_context": common_tls(folder, name),
        }});
    }
    cluster
}

fn ext_authz() -> Value {
    json!({"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "bouncer"}, "timeout": "5s"},
        "include_peer_certificate": true,
        "route_metadata_context_namespaces": ["bouncer", "llm"],
        "failure_mode_allow": false,
    }})
}

fn downstream_tls(folder: &Path) -> Value {
    json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common_tls(folder, "server"),
    }})
}

fn common_tls(folder: &Path, name: &str) -> Value {
    let file = |name: String| json!({"filename": folder.join(name)});
    json!({
        "tls_certificates": [{
            "certificate_chain": file(format!("{name}.pem")),
            "private_key": file(format!("{name}.key")),
        }],
        "validation_context": {"trusted_ca": file("ca.pem".to_owned())},
    })
}

fn protocol(options: &Value) -> Value {
    let mut options = options.clone();
    options["@type"] = json!("type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
    json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options})
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}
