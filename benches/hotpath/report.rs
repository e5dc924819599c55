//! The figures as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measure::{Round, median};

/// All rounds of one server over one transport.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Which server.
    pub(crate) server: &'static str,
    /// `tcp` or `unix`.
    pub(crate) transport: &'static str,
    /// In the order in which they were driven.
    pub(crate) rounds: Vec<Round>,
    /// Median of the rounds, µs a request.
    pub(crate) cpu_us: f64,
    /// Median over the rounds of this server's CPU by that of the naive no-op in the same round.
    pub(crate) ratio_to_naive: Option<f64>,
    /// Median of the rounds' medians, µs.
    pub(crate) p50_us: f64,
    /// Median of the rounds' 99th percentiles, µs.
    pub(crate) p99_us: f64,
}

impl Row {
    /// Sums up `rounds`; `naive` are the rounds of the naive no-op, where it ran.
    #[must_use]
    pub(crate) fn new(
        server: &'static str,
        transport: &'static str,
        rounds: Vec<Round>,
        naive: Option<&[Round]>,
    ) -> Self {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        Self {
            server,
            transport,
            cpu_us: of(|round| round.cpu_us),
            ratio_to_naive: naive.map(|naive| ratio(&rounds, naive)),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            rounds,
        }
    }

    /// The CPU of this one by that of the one whose `rounds` these are.
    #[must_use]
    pub(crate) fn ratio_to(&self, rounds: &[Round]) -> f64 {
        ratio(&self.rounds, rounds)
    }
}

/// Median by pairs of one round: whatever else the machine does then weighs on both.
fn ratio(one: &[Round], other: &[Round]) -> f64 {
    median(one.iter().zip(other).map(|(one, other)| one.cpu_us / other.cpu_us))
}

/// The rows for people; also good Markdown.
#[must_use]
pub(crate) fn table(rows: &[Row]) -> String {
    let count = rows.iter().map(|row| row.rounds.len()).max().unwrap_or_default();
    let mut text = String::from("| server       |");
    for round in 1..=count {
        let _ = write!(text, " {round:>5} |");
    }
    text.push_str(" CPU µs a request | ratio | p50 µs | p99 µs |\n|---|");
    text.push_str(&"--:|".repeat(count + 4));
    for row in rows {
        let name = format!("{} {}", row.server, row.transport);
        let _ = write!(text, "\n| {name:<12} |");
        for round in &row.rounds {
            let _ = write!(text, " {:>5.1} |", round.cpu_us);
        }
        let ratio = row.ratio_to_naive.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ =
            write!(text, " {:>16.1} | {ratio:>5} | {:>6.0} | {:>6.0} |", row.cpu_us, row.p50_us, row.p99_us);
    }
    text
}
