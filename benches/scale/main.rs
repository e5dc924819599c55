//! `cargo bench --bench scale`: what becomes of memory and of the CPU of a request when there is much of something: new
//! callers, callers at all, entries; and what the server takes when there is nothing. See benches/README.md.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a server to become ready"
)]

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::Question;
use crate::support::server::Server;
use crate::support::{Failure, Verdict, at_least_one};

mod callers;
mod entries;
mod idle;
#[path = "../support/mod.rs"]
mod support;

/// Many callers, many entries, nothing to do.
#[derive(Parser)]
struct Options {
    /// What to measure, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Idle, Part::First, Part::Entries, Part::Callers])]
    only: Vec<Part>,
    /// Distinct callers of the flood
    #[arg(long, default_value_t = 1_000_000, value_parser = at_least_one)]
    callers: usize,
    /// Entries of the large configuration
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    entries: usize,
    /// Rounds
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    rounds: usize,
    /// Requests of a round
    #[arg(long, default_value_t = 50_000, value_parser = at_least_one)]
    requests: usize,
    /// Resident MiB of an idle server, at most
    #[arg(long, default_value_t = 30.0)]
    max_idle_mib: f64,
    /// Milliseconds from start to ready, at most
    #[arg(long, default_value_t = 100.0)]
    max_start_ms: f64,
    /// Signatures verified for a token that comes many times at once, at most
    #[arg(long, default_value_t = 1.0)]
    max_verifications: f64,
    /// Resident MiB after the flood, at most: the base, and about 1 KiB for each of 100 000 remembered tokens
    #[arg(long, default_value_t = 160.0)]
    max_flood_mib: f64,
    /// CPU of a known caller's request beside the flood to that without it, at most
    #[arg(long, default_value_t = 1.1)]
    max_known_ratio: f64,
    /// Part of the known callers that the cache still knows after the flood, at least
    #[arg(long, default_value_t = 0.99)]
    min_known: f64,
    /// CPU of a request with many entries to that with one, at most
    #[arg(long, default_value_t = 1.1)]
    max_entries_ratio: f64,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory and start of a server that does nothing
    Idle,
    /// The first sight of a token
    First,
    /// Very many entries
    Entries,
    /// Very many callers
    Callers,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts the program too, and wants no figures.
        return ExitCode::SUCCESS;
    }
    support::measure(run(&options))
}

async fn run(options: &Options) -> Result<Verdict, Failure> {
    let folder = tempfile::tempdir()?;
    let issuer = std::sync::Arc::new(Issuer::start().await?);
    let mut verdict = Verdict::default();
    for part in &options.only {
        match part {
            Part::Idle => idle::run(options, folder.path(), &issuer, &mut verdict).await?,
            Part::First => callers::first(options, folder.path(), &issuer, &mut verdict).await?,
            Part::Entries => entries::run(options, folder.path(), &issuer, &mut verdict).await?,
            Part::Callers => callers::many(options, folder.path(), &issuer, &mut verdict).await?,
        }
    }
    Ok(verdict)
}

/// CPU µs of a request, of so many.
async fn cpu(server: &Server, question: &Question, requests: usize) -> Result<f64, Failure> {
    let before = server.process.cpu_seconds()?;
    drive(server.tcp()?, question, Load { requests, connections: 1, streams: 64 }).await?;
    Ok((server.process.cpu_seconds()? - before) * 1e6 / requests as f64)
}

/// A folder in `folder`, empty.
fn own(folder: &Path, name: &str) -> Result<std::path::PathBuf, Failure> {
    let own = folder.join(name);
    std::fs::create_dir_all(&own)?;
    Ok(own)
}
