//! The options. What means something in one way of measuring only is refused in the others.

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};

use super::values::{above_zero, at_least_one};

/// What a request costs bouncer, beside no-op servers that only answer.
///
/// Measures the CPU of a request, or with --paced its latency at half of the load, or with --envoy what it costs Envoy and
/// server together. Exits 1 where a limit (--max-...) is missed or an answer is wrong, 2 on wrong usage.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
#[command(group = ArgGroup::new("instead").args(["paced", "envoy", "hold"]))]
pub(crate) struct Options {
    /// Rounds; each drives every lane once [default: 7, with --paced and --envoy 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..), default_value_t = 7, default_value_if("paced", "true", "5"), default_value_if("envoy", "true", "5"), hide_default_value = true, conflicts_with = "hold")]
    pub(crate) rounds: u8,
    /// Requests to each lane in a round; with --paced those that find the rate
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = at_least_one, conflicts_with = "envoy")]
    pub(crate) requests: usize,
    /// Concurrent streams, over all connections; with --paced those that find the rate
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one, conflicts_with = "envoy")]
    pub(crate) streams: usize,
    /// HTTP/2 connections (Envoy opens one a worker)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, conflicts_with = "envoy")]
    pub(crate) connections: usize,

    /// What to measure, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL, conflicts_with = "instead", help_heading = CPU)]
    pub(crate) servers: Vec<Kind>,
    /// Exit with 1 when bouncer costs more than this times the lazy no-op, over ext_proc (TCP, Unix) or ext_authz (TCP)
    #[arg(long, value_name = "RATIO", value_parser = above_zero, conflicts_with = "instead", help_heading = CPU)]
    pub(crate) max_ratio: Option<f64>,
    /// Exit with 1 when a token costs more than this times an API key, in the same rounds
    #[arg(long, value_name = "RATIO", value_parser = above_zero, conflicts_with = "instead", help_heading = CPU)]
    pub(crate) max_token_ratio: Option<f64>,
    /// Print JSON instead of the table
    #[arg(long, conflicts_with = "instead", help_heading = CPU)]
    pub(crate) json: bool,

    // clap drops a requirement that cannot be met beside what is there, so that conflicts are said too.
    /// Measure latencies at half of the saturating rate instead, in an open loop, with events in the background
    #[arg(long, help_heading = PACED)]
    pub(crate) paced: bool,
    /// Seconds that a lane is driven in a round
    #[arg(long, value_name = "SECONDS", default_value_t = 6.0, value_parser = above_zero, requires = "paced", conflicts_with_all = ["envoy", "hold"], help_heading = PACED)]
    pub(crate) seconds: f64,
    /// Requests a second [default: half of the lazy no-op's most]
    #[arg(long, value_name = "N", value_parser = above_zero, requires = "paced", conflicts_with_all = ["envoy", "hold", "requests", "streams"], help_heading = PACED)]
    pub(crate) rate: Option<f64>,
    /// Exit with 1 when bouncer's p99 is more than this times the lazy no-op's
    #[arg(long, value_name = "RATIO", value_parser = above_zero, requires = "paced", conflicts_with_all = ["envoy", "hold"], help_heading = PACED)]
    pub(crate) max_p99_ratio: Option<f64>,

    /// Measure Envoy and its side call instead, with h2load and the Envoy of `make tools`
    #[arg(long, help_heading = "End to end")]
    pub(crate) envoy: bool,

    /// Drive bouncer over TCP until it is ended, for a profiler; says which process the server is
    #[arg(long, help_heading = "For a profiler")]
    pub(crate) hold: bool,

    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

const CPU: &str = "CPU of a request (without --paced, --envoy, --hold)";
const PACED: &str = "Latency at half of the load";

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Be the naive no-op server
    #[command(hide = true)]
    Naive,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The no-op as most people write it.
    Naive,
    /// The no-op as good as tonic lets one write it; the ratios are to this one.
    Lazy,
    /// The real server: a JWT from the cache, the MFA rule, an API key.
    Bouncer,
    /// The same with a token of an OAuth2 server in the place of the key.
    Token,
    /// The same, and the headers of the provider's answer are looked at.
    Feedback,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Naive, Self::Lazy, Self::Bouncer, Self::Token, Self::Feedback];

    /// As in `--servers` and in the table.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Lazy => "lazy",
            Self::Bouncer => "bouncer",
            Self::Token => "token",
            Self::Feedback => "feedback",
        }
    }
}
