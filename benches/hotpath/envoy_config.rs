//! What the Envoys of `--envoy` are told.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::client::Address;
use crate::support::config::{ENTRY, KEY};
use crate::support::question::{CLUSTER, Protocol};

/// What stands before the router.
#[derive(Clone, Copy)]
pub(crate) enum Filter<'a> {
    Nothing,
    /// Envoy's own, with the key in the bootstrap: the floor of everything that puts a credential on a request.
    Injector,
    /// A server is asked.
    Ask(Protocol, &'a Address),
}

/// An Envoy that answers every request itself.
#[must_use]
pub(crate) fn origin() -> Value {
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "{}"}}});
    json!({"listeners": [listener(&[], &route)]})
}

/// An Envoy before `origin`.
#[must_use]
pub(crate) fn front(origin: SocketAddr, filter: Filter<'_>) -> Value {
    let mut clusters = vec![cluster(CLUSTER, &origin)];
    let mut filters = Vec::new();
    match filter {
        Filter::Nothing => {}
        Filter::Injector => filters.push(injector()),
        Filter::Ask(protocol, address) => {
            if let Address::Tcp(address) = address {
                clusters.push(cluster("bouncer", address));
            }
            filters.push(match protocol {
                Protocol::ExtProc => ext_proc(),
                Protocol::ExtAuthz => ext_authz(),
            });
        }
    }
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": CLUSTER}, "typed_per_filter_config": per_route(filter)});
    let secret =
        json!({"name": "key", "generic_secret": {"secret": {"inline_string": format!("Bearer {}", *KEY)}}});
    json!({"listeners": [listener(&filters, &route)], "clusters": clusters, "secrets": [secret]})
}

fn injector() -> Value {
    json!({"name": "envoy.filters.http.credential_injector", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        "overwrite": true,
        "credential": {"name": "envoy.http.injected_credentials.generic", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
            "credential": {"name": "key"},
        }},
    }})
}

fn ext_proc() -> Value {
    json!({"name": "envoy.filters.http.ext_proc", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "bouncer"}, "timeout": "1s"},
        "message_timeout": "1s",
        "allow_mode_override": true,
        "request_attributes": ["xds.cluster_name"],
        "response_attributes": ["response.code_details"],
        "processing_mode": {"request_header_mode": "SEND", "response_header_mode": "SKIP"},
    }})
}

fn ext_authz() -> Value {
    json!({"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "bouncer"}, "timeout": "1s"},
    }})
}

/// ext_authz is not told the cluster: the route says whose request it is.
fn per_route(filter: Filter<'_>) -> Value {
    match filter {
        Filter::Ask(Protocol::ExtAuthz, _) => json!({"envoy.filters.http.ext_authz": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
            "check_settings": {"context_extensions": {"provider": ENTRY}},
        }}),
        _ => json!({}),
    }
}

fn cluster(name: &str, address: &SocketAddr) -> Value {
    json!({
        "name": name,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": address.ip().to_string(), "port_value": address.port()}}}}]}]},
    })
}

fn listener(filters: &[Value], route: &Value) -> Value {
    let mut filters = filters.to_vec();
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}));
    json!({"name": "main", "address": null, "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "main",
            "codec_type": "HTTP2",
            "http_filters": filters,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        },
    }]}]})
}
