//! A running Envoy.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Process, Request, folder, send, tool};

/// Which Envoy. The two ends of what is supported, as `scripts/tools.sh` installs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Oldest,
    Newest,
}

/// A child of its own, with everything on free ports.
pub(crate) struct Envoy {
    pub(crate) process: Process,
    admin: SocketAddr,
    listeners: HashMap<String, SocketAddr>,
    _folder: TempDir,
}

impl Version {
    pub(crate) const fn number(self) -> &'static str {
        match self {
            Self::Oldest => "1.36.2",
            Self::Newest => "1.40.0",
        }
    }
}

impl Envoy {
    /// Starts it with `static_resources` and waits until its workers run.
    pub(crate) fn start(name: &str, version: Version, static_resources: &Value) -> Self {
        let folder = folder();
        let config = folder.path().join("envoy.json");
        let port_0 = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let bootstrap = json!({
            "admin": {"address": port_0},
            "layered_runtime": runtime(static_resources),
            "static_resources": static_resources,
        });
        fs::write(&config, bootstrap.to_string()).unwrap();
        let process = Process::start(
            name,
            Command::new(tool(&format!("envoy/{}/envoy", version.number())))
                .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"])
                .args(["--component-log-level", "admin:info,config:info", "-c"])
                .arg(&config),
        );
        let admin = process.wait_for("its admin address", |line| {
            line.split_once("admin address: ")?.1.trim().parse::<SocketAddr>().ok()
        });
        process.wait_for("that its workers start", |line| line.contains("starting workers").then_some(()));
        let listeners = page(admin, "/listeners?format=json").json();
        let listeners = listeners["listener_statuses"].as_array().cloned().unwrap_or_default();
        let listeners = listeners.iter().map(|one| {
            let socket = &one["local_address"]["socket_address"];
            let port = u16::try_from(socket["port_value"].as_u64().unwrap()).unwrap();
            (one["name"].as_str().unwrap().to_owned(), super::local(port))
        });
        Self { admin, listeners: listeners.collect(), process, _folder: folder }
    }

    /// Where the listener of this name got its port.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        *self.listeners.get(name).unwrap_or_else(|| panic!("no listener {name}"))
    }

    /// A counter of its statistics.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let stats = page(self.admin, "/stats").text();
        let value = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Every counter and gauge.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let stats = page(self.admin, "/stats").text();
        let read = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        stats.lines().filter_map(read).collect()
    }
}

/// As README wants it where a cluster has the filter: Envoy ends by SIGSEGV else, as `bedrock::unconnected` would show.
fn runtime(static_resources: &Value) -> Value {
    let in_a_cluster = static_resources["clusters"].to_string().contains("ExternalProcessor");
    let layer = json!({"name": "static", "static_layer": {
        "envoy.reloadable_features.grpc_side_stream_flow_control": false,
    }});
    json!({"layers": if in_a_cluster { vec![layer] } else { vec![] }})
}

fn page(admin: SocketAddr, path: &str) -> Answer {
    send(admin, &Request::get(path).header("host", "localhost"))
}
