//! `bouncer demo`: Envoy, the server, a small OIDC issuer and a small LLM provider on this machine, and the steps that
//! show what they do together. Everything listens on loopback and writes below one folder; `deploy/demo/` is what runs.

mod answer;
mod by_hand;
mod child;
mod envoy;
mod error;
mod facts;
mod issuer;
mod llm;
mod run;
mod screen;
mod server;
mod steps;
mod workdir;

use std::path::PathBuf;

pub use run::run;

/// The options of `bouncer demo`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Run the steps, verify each and end: 0 when all held, else 1
    #[arg(long)]
    pub check: bool,
    /// Folder for the configuration, the secrets and the logs of this run
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    pub dir: PathBuf,
    /// The Envoy to run; default: the one that `make demo` installs, else the one in PATH
    #[arg(long, value_name = "FILE")]
    pub envoy: Option<PathBuf>,
}
