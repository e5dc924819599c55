//! The options.

use std::path::PathBuf;

use clap::Parser;

use super::values::above_zero;

/// A mixed load for long: whether memory, descriptors and streams come back to what they were.
///
/// Counts the server's descriptors: runs as root, or with CAP_DAC_READ_SEARCH. Exits 1 where a limit (--max-...) is missed,
/// 2 on wrong usage.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How long
    #[arg(long, value_name = "MINUTES", default_value_t = 1.0, value_parser = above_zero)]
    pub(crate) minutes: f64,
    /// Requests a second, in steps of 800: four connections ask every 5 ms
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(800..))]
    pub(crate) rate: u32,
    /// KiB a minute that memory may grow in the second half
    #[arg(long, default_value_t = 64.0, value_name = "KIB")]
    pub(crate) max_slope: f64,
    /// Descriptors that may be open at the end beside those of the beginning
    #[arg(long, default_value_t = 2.0, value_name = "N")]
    pub(crate) max_descriptors: f64,
    /// Requests that may be answered wrongly or not at all
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    pub(crate) max_errors: f64,
    /// Where to draw the memory over time, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}
