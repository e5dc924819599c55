//! `make bench`: what the server costs Envoy's side call, beside two no-op servers that only answer.
//!
//! Every round drives each server in turn with the same requests, so that the ratios hold on a busy machine too. See
//! benches/README.md.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a server to become ready"
)]

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::caller::Issuer;
use crate::driver::{Address, Load};
use crate::exchange::Question;
use crate::measure::Round;
use crate::report::Row;
use crate::servers::{Kind, Server};

mod caller;
mod driver;
mod envoy;
mod exchange;
mod measure;
mod noop;
mod noop_naive;
mod report;
mod servers;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a server that listens may still answer wrongly: bouncer fetches the key set in the background.
const READY: Duration = Duration::from_secs(15);

/// CPU of an ext_proc request: bouncer beside two no-op servers.
#[derive(Parser)]
struct Options {
    /// What to measure, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    servers: Vec<Kind>,
    /// Rounds; each drives every server once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Requests to each server in a round
    #[arg(long, default_value_t = 100_000, value_parser = at_least_one)]
    requests: usize,
    /// Concurrent streams, over all connections
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    streams: usize,
    /// HTTP/2 connections (Envoy opens one a worker)
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    connections: usize,
    /// Exit with 1 when bouncer over TCP costs more than this part of the naive no-op
    #[arg(long)]
    max_ratio: Option<f64>,
    /// Exit with 1 when a token over TCP costs more than this times an API key, in the same rounds
    #[arg(long)]
    max_token_ratio: Option<f64>,
    /// Measure Envoy and its side call instead, with h2load and the Envoy of `make tools`
    #[arg(long)]
    envoy: bool,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Be the naive no-op server
    #[command(hide = true)]
    Naive,
}

/// One server over one transport, and what it took so far.
struct Lane {
    kind: Kind,
    pid: u32,
    address: Address,
    rounds: Vec<Round>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.role {
        Some(Role::Naive) => noop_naive::serve().map(|()| ExitCode::SUCCESS),
        // `cargo test --benches` starts the program too, and wants no figures.
        None if !options.bench => Ok(ExitCode::SUCCESS),
        None => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::from)
            .and_then(|runtime| runtime.block_on(until_stopped(run(&options)))),
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

/// Ends `work` on Ctrl-C and SIGTERM too by dropping it: that stops the servers, which would outlive a bench that dies.
async fn until_stopped(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}

async fn run(options: &Options) -> Result<ExitCode, Failure> {
    if options.max_ratio.is_some()
        && ![Kind::Naive, Kind::Bouncer].iter().all(|kind| options.servers.contains(kind))
    {
        return Err("--max-ratio needs naive and bouncer among the servers".into());
    }
    let load =
        Load { requests: options.requests, connections: options.connections, streams: options.streams };
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::start().await?;
    if options.envoy {
        let table = envoy::run(options.rounds, folder.path(), &issuer).await?;
        writeln!(std::io::stdout(), "{table}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let question = exchange::question(&issuer.token);
    say(format_args!(
        "token {} bytes, ProcessingRequest {} bytes",
        issuer.token.len(),
        question.request.len() - 5
    ));

    let mut servers: Vec<Server> = Vec::new();
    let mut lanes = Vec::new();
    for &kind in &options.servers {
        let server = kind.start(folder.path(), &issuer).await?;
        for address in &server.addresses {
            warm_up(kind, address, &kind.asks(&question), load).await?;
            lanes.push(Lane { kind, pid: server.pid, address: address.clone(), rounds: Vec::new() });
        }
        servers.push(server);
    }
    for number in 1..=options.rounds {
        for lane in &mut lanes {
            let round = measure::round(lane.pid, &lane.address, &lane.kind.asks(&question), load).await?;
            let (name, transport) = (lane.kind.name(), lane.address.transport());
            say(format_args!(
                "round {number} {name} {transport}: {:.1} CPU µs a request, {:.0} requests/s",
                round.cpu_us, round.rate
            ));
            lane.rounds.push(round);
        }
    }
    drop(servers);

    let naive = lanes.iter().find(|lane| lane.kind == Kind::Naive).map(|lane| lane.rounds.clone());
    let rows: Vec<Row> = lanes
        .into_iter()
        .map(|lane| Row::new(lane.kind.name(), lane.address.transport(), lane.rounds, naive.as_deref()))
        .collect();
    let text = if options.json { json(options, &rows).to_string() } else { report::table(&rows) };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(verdict(&rows, options))
}

/// Asks until the answer is right, then a tenth of a round.
async fn warm_up(kind: Kind, address: &Address, question: &Question, load: Load) -> Result<(), Failure> {
    let start = Instant::now();
    let one = Load { requests: 1, connections: 1, streams: 1 };
    while let Err(error) = driver::drive(address, question, one).await {
        if start.elapsed() > READY {
            return Err(format!("{} over {}: {error}", kind.name(), address.transport()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    driver::drive(address, question, Load { requests: load.requests.div_ceil(10), ..load }).await?;
    Ok(())
}

fn json(options: &Options, rows: &[Row]) -> serde_json::Value {
    serde_json::json!({
        "requests": options.requests,
        "streams": options.streams,
        "connections": options.connections,
        "servers": rows,
    })
}

/// Fails where a limit is missed; a figure that is missing or no number misses it too.
fn verdict(rows: &[Row], options: &Options) -> ExitCode {
    let tcp = |kind: Kind| rows.iter().find(|row| row.server == kind.name() && row.transport == "tcp");
    let to_naive = tcp(Kind::Bouncer).and_then(|row| row.ratio_to_naive);
    let token = tcp(Kind::Token).zip(tcp(Kind::Bouncer)).map(|(token, key)| token.ratio_to(&key.rounds));
    let mut code = ExitCode::SUCCESS;
    for (what, ratio, limit) in [
        ("bouncer over TCP, to the naive no-op", to_naive, options.max_ratio),
        ("a token over TCP, to an API key", token, options.max_token_ratio),
    ] {
        let ratio = ratio.unwrap_or(f64::NAN);
        if limit.is_some_and(|limit| ratio.is_nan() || ratio > limit) {
            say(format_args!("{what}: {ratio:.3}, more than {limit:?}"));
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        number => number.map_err(|error| format!("{error}")),
    }
}

/// Progress, on stderr.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
