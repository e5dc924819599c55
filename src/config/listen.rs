//! The sections `listen` and `admin`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::duration_or;
use super::place::At;
use super::raw::{self, OneOrMore};
use super::settings::{AdminSettings, Listen, ListenAddress, ServerTls};
use super::words;

const ADDRESSES: &str = "an IP address with a port, as 127.0.0.1:9002 or [::1]:9002, or unix:/path/of/socket";
/// `sockaddr_un.sun_path` on Linux, without its NUL.
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads `listen`. None is told.
pub(super) fn listen(raw: raw::Listen, at: &At<'_>) -> Option<Listen> {
    let grpc = raw.grpc.map(|raw| addresses(&raw, &at.key("grpc")));
    let tls = raw.tls.map(|raw| tls(raw, &at.key("tls")));
    let tls_is_mutual = matches!(&tls, Some(Some(tls)) if tls.client_ca.is_some());
    let tls_is_broken = matches!(&tls, Some(None)) || at.key("tls").was_skipped();
    let tls = tls.flatten();
    let shutdown_grace =
        duration_or(raw.shutdown_grace.as_ref(), &at.key("shutdown_grace"), Duration::from_secs(30));
    let grpc = grpc?;
    let tcp: Vec<&SocketAddr> = grpc.iter().filter_map(as_tcp).collect();
    if !tls_is_mutual && !tls_is_broken && tcp.iter().any(|address| !address.ip().is_loopback()) {
        at.key("grpc").warning(
            "whoever reaches this address can ask for credentials",
            "a loopback address, a Unix socket, or tls with client_ca".to_owned(),
        );
    }
    if tls.is_some() && tcp.is_empty() {
        at.key("tls").warning("has no effect: a Unix socket never speaks TLS", None);
    }
    Some(Listen { grpc, tls, shutdown_grace: shutdown_grace? })
}

/// Reads `admin`. `taken` are the addresses of gRPC.
pub(super) fn admin(raw: &raw::Admin, taken: Option<&Listen>, at: &At<'_>) -> Option<AdminSettings> {
    let at = at.key("listen");
    let Ok(listen) = raw.listen.as_ref()?.parse::<SocketAddr>() else {
        at.fault("is not an address with a port", "as 127.0.0.1:9998 or [::1]:9998".to_owned());
        return None;
    };
    let taken = taken.into_iter().flat_map(|listen| &listen.grpc).filter_map(as_tcp);
    if listen.port() != 0 && taken.into_iter().any(|address| *address == listen) {
        at.fault("is also an address of listen.grpc", "another address or port".to_owned());
    }
    Some(AdminSettings { listen })
}

fn as_tcp(address: &ListenAddress) -> Option<&SocketAddr> {
    match address {
        ListenAddress::Tcp(address) => Some(address),
        ListenAddress::Unix(_) => None,
    }
}

fn addresses(raw: &OneOrMore, at: &At<'_>) -> Vec<ListenAddress> {
    let texts: Vec<(At<'_>, &str)> = match raw {
        OneOrMore::One(text) => vec![(at.clone(), text)],
        OneOrMore::More(items) => {
            items.iter().map(|(index, text)| (at.index(index), text.as_str())).collect()
        }
    };
    let mut addresses = Vec::new();
    for (at, text) in texts {
        let Some(address) = address(text, &at) else { continue };
        let any_port = as_tcp(&address).is_some_and(|address| address.port() == 0);
        if !any_port && addresses.contains(&address) {
            at.fault("stands here twice", None);
        }
        addresses.push(address);
    }
    addresses
}

fn address(text: &str, at: &At<'_>) -> Option<ListenAddress> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = if path.is_empty() || path.starts_with('@') || path.contains('\0') {
            at.fault("is not the path of a socket", ADDRESSES.to_owned());
            return None;
        } else {
            at.relative(path)
        };
        if path.as_os_str().len() > LONGEST_SOCKET_PATH {
            at.fault(
                "is too long for a socket",
                format!("at most {LONGEST_SOCKET_PATH} bytes with the folder of this file"),
            );
            return None;
        }
        return Some(ListenAddress::Unix(path));
    }
    let address = text.parse().ok().map(ListenAddress::Tcp);
    if address.is_none() {
        at.fault(format!("{} is not an address with a port", words::quoted(text)), ADDRESSES.to_owned());
    }
    address
}

fn tls(raw: raw::ServerTls, at: &At<'_>) -> Option<ServerTls> {
    let path = |text: Option<String>| text.map(|text| at.relative(&text));
    let client_ca: Option<PathBuf> = path(raw.client_ca);
    let peers_at = at.key("allowed_peers");
    let mut allowed_peers = Vec::new();
    for (index, peer) in raw.allowed_peers.iter().flat_map(raw::Items::iter) {
        if is_peer(peer) {
            allowed_peers.push(peer.clone());
        } else {
            peers_at.index(index).fault(
                "is not a name of a peer",
                "a URI as spiffe://mesh.example/gateway, or a DNS name".to_owned(),
            );
        }
    }
    if client_ca.is_none() && !at.key("client_ca").was_skipped() && !allowed_peers.is_empty() {
        peers_at.fault_at_key(
            "nobody is asked for a certificate without client_ca",
            "client_ca beside it".to_owned(),
        );
    }
    // An empty list means everybody; one whose elements were all wrong must not.
    Some(ServerTls {
        certificate: path(raw.certificate)?,
        private_key: path(raw.private_key)?,
        client_ca,
        allowed_peers,
    })
}

fn is_peer(text: &str) -> bool {
    if text.contains("://") {
        return url::Url::parse(text).is_ok() && text.bytes().all(|byte| byte.is_ascii_graphic());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}
