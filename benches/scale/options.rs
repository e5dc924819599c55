//! The options.

use clap::{Parser, ValueEnum};

use super::values::at_least_one;

/// What becomes of memory and of the CPU of a request where there is much of something: callers, entries; and what the server
/// takes where there is nothing to do.
///
/// Exits 1 where a limit (--max-..., --min-...) is missed or an answer is wrong, 2 on wrong usage.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// What to measure, with commas between; options of the other parts have no effect
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Idle, Part::First, Part::Entries, Part::Callers])]
    pub(crate) only: Vec<Part>,
    /// Distinct callers of the flood
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub(crate) callers: usize,
    /// Entries of the large configuration
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub(crate) entries: usize,
    /// Rounds of each part
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// Requests of a round
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = at_least_one)]
    pub(crate) requests: usize,
    /// Resident MiB of an idle server, at most
    #[arg(long, value_name = "MIB", default_value_t = 30.0)]
    pub(crate) max_idle_mib: f64,
    /// Milliseconds from start to ready, at most
    #[arg(long, value_name = "MS", default_value_t = 100.0)]
    pub(crate) max_start_ms: f64,
    /// Signatures verified for a token that comes many times at once, at most
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) max_verifications: f64,
    /// Resident MiB after the flood, at most: the base, and about 1 KiB for each of 100 000 remembered tokens
    #[arg(long, value_name = "MIB", default_value_t = 160.0)]
    pub(crate) max_flood_mib: f64,
    /// CPU of a known caller's request beside the flood to that without it, at most
    #[arg(long, value_name = "RATIO", default_value_t = 1.1)]
    pub(crate) max_known_ratio: f64,
    /// Part of the known callers that the cache still knows after the flood, at least
    #[arg(long, value_name = "PART", default_value_t = 0.99)]
    pub(crate) min_known: f64,
    /// CPU of a request with many entries to that with one, at most
    #[arg(long, value_name = "RATIO", default_value_t = 1.1)]
    pub(crate) max_entries_ratio: f64,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Memory and start of a server that does nothing
    Idle,
    /// The first sight of a token
    First,
    /// Very many entries
    Entries,
    /// Very many callers
    Callers,
}
