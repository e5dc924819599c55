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

use clap::Parser as _;

use crate::options::{Kind, Options, Role};
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::{Protocol, Question};
use crate::support::{Failure, Verdict, say, values};

mod cpu;
mod envoy;
mod envoy_config;
mod lanes;
mod noop_naive;
mod options;
mod paced;
mod report;
#[path = "../support/mod.rs"]
mod support;

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

impl Options {
    fn load(&self) -> Load {
        Load { requests: self.requests, connections: self.connections, streams: self.streams }
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
