//! `cargo bench --bench scale`: what becomes of memory and of the CPU of a request when there is much of something: new
//! callers, callers at all, entries; and what the server takes when there is nothing. See benches/README.md.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a server to become ready"
)]

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Options, Part};
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::Question;
use crate::support::server::Server;
use crate::support::{Failure, Verdict, values};

mod callers;
mod entries;
mod idle;
mod options;
#[path = "../support/mod.rs"]
mod support;

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
