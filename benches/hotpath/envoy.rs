//! `--envoy`: what the side call costs Envoy itself, with and without a look at the provider's answer.
//!
//! One Envoy worker between h2load and a provider that is another Envoy; the same requests without a filter, with bouncer,
//! and with bouncer that looks at the response's headers.

#![allow(clippy::indexing_slicing, reason = "JSON that is written here, and two figures")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::Failure;
use crate::caller::Issuer;
use crate::driver::Address;
use crate::exchange::CLUSTER;
use crate::measure::{cpu_seconds, median};
use crate::servers::Kind;

/// Requests of a round.
const REQUESTS: usize = 20_000;

/// An Envoy that runs until this is dropped.
struct Envoy {
    child: Child,
    address: SocketAddr,
}

/// Drives each variant in turn, `rounds` times, and prints medians.
///
/// # Errors
/// When something does not start or an answer is not 200.
pub(crate) async fn run(rounds: u8, folder: &Path, issuer: &Issuer) -> Result<String, Failure> {
    let origin = Envoy::start(&folder.join("origin.json"), &origin()).await?;
    let mut variants = Vec::new();
    for kind in [None, Some(Kind::Token), Some(Kind::Feedback)] {
        let server = match kind {
            None => None,
            Some(kind) => Some(kind.start(folder, issuer).await?),
        };
        let asks = server.as_ref().and_then(|server| server.addresses.first());
        let name = kind.map_or("no filter", Kind::name);
        let file = folder.join(format!("front-{}.json", name.replace(' ', "-")));
        let envoy = Envoy::start(&file, &front(origin.address, asks)).await?;
        variants.push((name, envoy, server, Vec::new()));
    }
    for round in 0..=rounds {
        for (_, envoy, server, figures) in &mut variants {
            let pids = [envoy.child.id(), server.as_ref().map(|server| server.pid)];
            let before = cpu(pids)?;
            load(envoy.address, &issuer.token).await?;
            let after = cpu(pids)?;
            // The first one warms up.
            if round > 0 {
                let per = |place: usize| (after[place] - before[place]) * 1e6 / REQUESTS as f64;
                figures.push([per(0), per(1)]);
            }
        }
    }
    let mut table =
        String::from("| variant | Envoy, CPU µs a request | bouncer, CPU µs a request |\n|---|--:|--:|\n");
    for (name, _, _, figures) in &variants {
        let of = |place: usize| median(figures.iter().map(|figures| figures[place]));
        table.push_str(&format!("| {name} | {:.1} | {:.1} |\n", of(0), of(1)));
    }
    Ok(table)
}

fn cpu(pids: [Option<u32>; 2]) -> Result<[f64; 2], Failure> {
    let mut seconds = [0.0; 2];
    for (pid, seconds) in pids.into_iter().zip(&mut seconds) {
        if let Some(pid) = pid {
            *seconds = cpu_seconds(pid)?;
        }
    }
    Ok(seconds)
}

async fn load(address: SocketAddr, token: &str) -> Result<(), Failure> {
    let output = Command::new("h2load")
        .args([&format!("--requests={REQUESTS}"), "--clients=1", "--max-concurrent-streams=32", "--header"])
        .arg(format!("authorization: Bearer {token}"))
        .arg(format!("http://{address}/v1/chat/completions"))
        .stdin(Stdio::null())
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("status codes: {REQUESTS} 2xx");
    if text.contains(&all) { Ok(()) } else { Err(format!("not every answer was 200:\n{text}").into()) }
}

impl Envoy {
    async fn start(file: &Path, resources: &Value) -> Result<Self, Failure> {
        // A port that was free a moment ago: Envoy tells its own only through its admin page.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut resources = resources.clone();
        resources["listeners"][0]["address"] =
            json!({"socket_address": {"address": "127.0.0.1", "port_value": address.port()}});
        std::fs::write(file, json!({"static_resources": resources}).to_string())?;
        let mut child = Command::new(program())
            .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(Self { child, address });
            }
            if let Some(status) = child.try_wait()? {
                return Err(format!("Envoy ended: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("Envoy does not listen".into())
    }
}

/// Where `scripts/tools.sh` puts the newest one.
fn program() -> PathBuf {
    let tools =
        std::env::var_os("BOUNCER_TOOLS").map_or_else(|| PathBuf::from("target/tools"), PathBuf::from);
    tools.join("envoy/1.40.0/envoy")
}

fn origin() -> Value {
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "{}"}}});
    json!({"listeners": [listener(&[], &route)]})
}

fn front(origin: SocketAddr, bouncer: Option<&Address>) -> Value {
    let cluster = |name: &str, address: &SocketAddr| {
        json!({
            "name": name,
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": address.ip().to_string(), "port_value": address.port()}}}}]}]},
        })
    };
    let mut clusters = vec![cluster(CLUSTER, &origin)];
    let mut filters = Vec::new();
    if let Some(Address::Tcp(address)) = bouncer {
        clusters.push(cluster("bouncer", address));
        filters.push(json!({"name": "envoy.filters.http.ext_proc", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "bouncer"}, "timeout": "1s"},
            "message_timeout": "1s",
            "allow_mode_override": true,
            "request_attributes": ["xds.cluster_name"],
            "response_attributes": ["response.code_details"],
            "processing_mode": {"request_header_mode": "SEND", "response_header_mode": "SKIP"},
        }}));
    }
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": CLUSTER}});
    json!({"listeners": [listener(&filters, &route)], "clusters": clusters})
}

fn listener(filters: &[Value], route: &Value) -> Value {
    let mut filters = filters.to_vec();
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}));
    json!({"name": "main", "filter_chains": [{"filters": [{
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
