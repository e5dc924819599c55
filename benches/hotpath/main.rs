//! `make bench`: what the server costs Envoy's side call, beside two no-op servers that only answer.
//!
//! Every round drives each server in turn with the same requests, so that the ratios hold on a busy machine too. See
//! benches/README.md.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a server to become ready"
)]

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::lanes::Kind;
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::{Protocol, Question};
use crate::support::{Failure, Verdict, at_least_one, say};

mod cpu;
mod envoy;
mod envoy_config;
mod lanes;
mod noop_naive;
mod paced;
mod report;
#[path = "../support/mod.rs"]
mod support;

/// CPU of a request, or its latency at half of the load, or what it costs Envoy: bouncer beside no-op servers.
#[derive(Parser)]
struct Options {
    /// What to measure, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    servers: Vec<Kind>,
    /// Rounds; each drives every lane once [default: 7, with --envoy and --paced 5]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..), default_value_t = 7, default_value_if("paced", "true", "5"), default_value_if("envoy", "true", "5"), hide_default_value = true)]
    rounds: u8,
    /// Requests to each lane in a round
    #[arg(long, default_value_t = 50_000, value_parser = at_least_one)]
    requests: usize,
    /// Concurrent streams, over all connections
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    streams: usize,
    /// HTTP/2 connections (Envoy opens one a worker)
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    connections: usize,
    /// Exit with 1 when bouncer costs more than this times the lazy no-op, over ext_proc (TCP, Unix) or ext_authz (TCP)
    #[arg(long)]
    max_ratio: Option<f64>,
    /// Exit with 1 when a token costs more than this times an API key, in the same rounds
    #[arg(long)]
    max_token_ratio: Option<f64>,
    /// Measure latencies at half of the saturating rate instead, in an open loop, with events in the background
    #[arg(long, conflicts_with = "envoy")]
    paced: bool,
    /// Seconds that --paced drives a lane in a round
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// The rate of --paced, a second [default: half of what the lazy no-op answers in a closed loop]
    #[arg(long)]
    rate: Option<f64>,
    /// Exit with 1 when bouncer's p99 is more than this times the lazy no-op's
    #[arg(long)]
    max_p99_ratio: Option<f64>,
    /// Measure Envoy and its side call instead, with h2load and the Envoy of `make tools`
    #[arg(long)]
    envoy: bool,
    /// Drive bouncer over TCP until it is ended, for a profiler; says which process the server is
    #[arg(long, hide = true)]
    hold: bool,
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

impl Options {
    fn load(&self) -> Load {
        Load { requests: self.requests, connections: self.connections, streams: self.streams }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match options.role {
        Some(Role::Naive) => match noop_naive::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("error: {error}"));
                ExitCode::FAILURE
            }
        },
        // `cargo test --benches` starts the program too, and wants no figures.
        None if !options.bench => ExitCode::SUCCESS,
        None => support::measure(run(&options)),
    }
}

async fn run(options: &Options) -> Result<Verdict, Failure> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::start().await?;
    if options.hold {
        hold(options, folder.path(), &issuer).await
    } else if options.envoy {
        envoy::run(options.rounds, folder.path(), &issuer).await
    } else if options.paced {
        paced::run(options, folder.path(), &issuer).await
    } else {
        cpu::run(options, folder.path(), &issuer).await
    }
}

async fn hold(options: &Options, folder: &Path, issuer: &Issuer) -> Result<Verdict, Failure> {
    let server = Kind::Bouncer.start(folder, issuer).await?;
    let question = Question::one(Protocol::ExtProc, &issuer.token);
    drive(server.tcp()?, &question, options.load()).await?;
    say(format_args!("holding {}", server.process.0));
    loop {
        drive(server.tcp()?, &question, options.load()).await?;
    }
}
