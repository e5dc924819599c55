//! `--envoy`: what the side call costs end to end, Envoy and server together.
//!
//! One Envoy worker between h2load and a provider that is another Envoy; the same requests without a filter, with Envoy's own
//! credential injector, with the lazy no-op and with bouncer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cpu::percentile;
use crate::envoy_config::{Filter, front, origin};
use crate::options::Kind;
use crate::support::issuer::Issuer;
use crate::support::process::Process;
use crate::support::question::Protocol;
use crate::support::server::Server;
use crate::support::{Failure, Verdict, median, print, say, there_and_back};

/// Requests of a round.
const REQUESTS: usize = 20_000;

/// An Envoy that runs until this is dropped.
struct Envoy {
    process: Process,
    address: SocketAddr,
    _child: Child,
}

/// One round of a variant.
#[derive(Clone, Copy)]
struct Figures {
    /// CPU µs a request of Envoy and of the server.
    envoy: f64,
    server: f64,
    p50: f64,
    p99: f64,
}

struct Variant {
    name: &'static str,
    envoy: Envoy,
    server: Option<Server>,
    rounds: Vec<Figures>,
}

/// Drives each variant in turn, `rounds` times, and prints medians.
///
/// # Errors
/// When something does not start or an answer is not 200.
pub(crate) async fn run(rounds: u8, folder: &Path, issuer: &Issuer) -> Result<Verdict, Failure> {
    let origin = Envoy::start(&folder.join("origin.json"), &origin()).await?;
    let mut variants = Vec::new();
    for (name, kind, protocol) in [
        ("no filter", None, None),
        ("credential_injector", None, None),
        ("lazy no-op, ext_proc", Some(Kind::Lazy), Some(Protocol::ExtProc)),
        ("bouncer, ext_proc, API key", Some(Kind::Bouncer), Some(Protocol::ExtProc)),
        ("bouncer, ext_authz, API key", Some(Kind::Bouncer), Some(Protocol::ExtAuthz)),
        ("bouncer, ext_proc, token", Some(Kind::Token), Some(Protocol::ExtProc)),
        ("bouncer, ext_proc, feedback", Some(Kind::Feedback), Some(Protocol::ExtProc)),
    ] {
        let own = folder.join(format!("variant-{}", variants.len()));
        std::fs::create_dir_all(&own)?;
        let server = match kind {
            None => None,
            Some(kind) => Some(kind.start(&own, issuer).await?),
        };
        let filter = match (&server, protocol) {
            (Some(server), Some(protocol)) => Filter::Ask(protocol, server.tcp()?),
            _ if name == "credential_injector" => Filter::Injector,
            _ => Filter::Nothing,
        };
        let envoy = Envoy::start(&own.join("front.json"), &front(origin.address, filter)).await?;
        variants.push(Variant { name, envoy, server, rounds: Vec::new() });
    }
    // The first one warms up.
    for round in 0..=rounds {
        for variant in there_and_back(round.into(), &mut variants) {
            let figures = variant.drive(folder, &issuer.token).await?;
            if round > 0 {
                say(format_args!("round {round} {}: {:.1} µs of Envoy", variant.name, figures.envoy));
                variant.rounds.push(figures);
            }
        }
    }
    print(format_args!(
        "| variant | Envoy, CPU µs a request | server, CPU µs | together, to no filter | p50 µs | p99 µs | p99, to no filter |\n\
         |---|--:|--:|--:|--:|--:|--:|"
    ));
    let plain = variants.first().map(|variant| variant.rounds.clone()).unwrap_or_default();
    for Variant { name, rounds, .. } in &variants {
        let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
        let to_plain = |figure: fn(&Figures) -> f64| {
            median(rounds.iter().zip(&plain).map(|(own, plain)| figure(own) / figure(plain)))
        };
        print(format_args!(
            "| {name} | {:.1} | {:.1} | {:.2} | {:.0} | {:.0} | {:.2} |",
            of(|round| round.envoy),
            of(|round| round.server),
            to_plain(|round| round.envoy + round.server),
            of(|round| round.p50),
            of(|round| round.p99),
            to_plain(|round| round.p99),
        ));
    }
    Ok(Verdict::default())
}

impl Variant {
    async fn drive(&self, folder: &Path, token: &str) -> Result<Figures, Failure> {
        let cpu = || -> Result<[f64; 2], Failure> {
            let server = self.server.as_ref().map_or(Ok(0.0), |server| server.process.cpu_seconds())?;
            Ok([self.envoy.process.cpu_seconds()?, server])
        };
        let log = folder.join("h2load.log");
        let _old = std::fs::remove_file(&log);
        let before = cpu()?;
        load(self.envoy.address, token, &log).await?;
        let after = cpu()?;
        // Start, status and µs of each request, with tabs between.
        let text = std::fs::read_to_string(&log)?;
        let took = text.lines().filter_map(|line| line.rsplit('\t').next()?.parse().ok());
        let mut times: Vec<_> = took.map(Duration::from_micros).collect();
        times.sort_unstable();
        let [envoy, server] = [0, 1].map(|place: usize| {
            after.get(place).zip(before.get(place)).map_or(f64::NAN, |(after, before)| after - before) * 1e6
                / REQUESTS as f64
        });
        Ok(Figures { envoy, server, p50: percentile(&times, 50.0), p99: percentile(&times, 99.0) })
    }
}

async fn load(address: SocketAddr, token: &str, log: &Path) -> Result<(), Failure> {
    let output = Command::new("h2load")
        .args([&format!("--requests={REQUESTS}"), "--clients=1", "--max-concurrent-streams=32", "--header"])
        .arg(format!("authorization: Bearer {token}"))
        .arg(format!("--log-file={}", log.display()))
        .arg(format!("http://{address}/v1/chat/completions"))
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("h2load (of nghttp2) does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("status codes: {REQUESTS} 2xx");
    if text.contains(&all) { Ok(()) } else { Err(format!("not every answer was 200:\n{text}").into()) }
}

impl Envoy {
    async fn start(file: &Path, resources: &Value) -> Result<Self, Failure> {
        // A port that was free a moment ago: Envoy tells its own only through its admin page.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut resources = resources.clone();
        if let Some(place) = resources.pointer_mut("/listeners/0/address") {
            *place = json!({"socket_address": {"address": "127.0.0.1", "port_value": address.port()}});
        }
        std::fs::write(file, json!({"static_resources": resources}).to_string())?;
        let program = program();
        let mut child = Command::new(&program)
            .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!("{} does not start: {error}; `make tools` gets it", program.display())
            })?;
        let process = Process(child.id().ok_or("Envoy has ended")?);
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(Self { process, address, _child: child });
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
