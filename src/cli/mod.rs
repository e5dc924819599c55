//! The commands, one file each.

mod advice;
mod check;
mod loadtest;
mod serve;
mod sigv4;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};

/// The server that Envoy asks before a request goes to an LLM provider.
#[derive(Debug, Parser)]
#[command(name = "bouncer", version, about, propagate_version = true)]
struct Cli {
    /// How log lines look. They go to stderr; RUST_LOG chooses which.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Read the whole configuration and print every fault in it; nothing is asked over the network.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// How the faults are printed.
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Obtain a provider's credential once, now, as the server would, and print each leg of the way; never the credential.
    Token {
        /// The entry's name.
        provider: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Signatures of AWS (SigV4): what is signed of a request, and where AWS's answer differs.
    Sigv4 {
        #[command(subcommand)]
        command: sigv4::Command,
    },
    // Its own words tell more.
    #[command(name = "loadtest")]
    Loadtest(Box<loadtest::LoadtestArgs>),
    /// Run everything on this machine: Envoy, the server, a small identity provider, a small LLM provider.
    Demo(crate::demo::Args),
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration; else $BOUNCER_CONFIG, else /etc/bouncer/bouncer.yaml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportFormat {
    Text,
    Json,
}

/// Reads the arguments and runs the command. Usage errors exit 2.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { log_format, command } = Cli::parse();
    match command {
        Command::Serve { config } => serve::run(&config.path(), log_format),
        Command::Check { config, format } => check::run(&config.path(), format),
        Command::Schema => check::schema(),
        Command::Token { provider, config } => token::run(&config.path(), &provider),
        Command::Sigv4 { command } => sigv4::run(&command),
        Command::Loadtest(args) => loadtest::run(&args),
        Command::Demo(args) => serve::on_background(crate::demo::run(args)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "bouncer", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}

impl ConfigFile {
    fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(crate::config::default_path)
    }
}
