//! The figures as a table.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cpu::Round;
use crate::support::median;

/// All rounds of one lane.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Server, protocol and transport.
    pub(crate) lane: String,
    /// In the order in which they were driven.
    pub(crate) rounds: Vec<Round>,
    /// Median of the rounds, µs a request.
    pub(crate) cpu_us: f64,
    /// Median over the rounds of this lane's CPU by that of the lazy no-op in the same round.
    pub(crate) ratio: Option<f64>,
    /// The two medians, one by the other.
    pub(crate) ratio_of_medians: Option<f64>,
    /// Median of the rounds' medians, µs.
    pub(crate) p50_us: f64,
    /// Median of the rounds' 99th percentiles, µs.
    pub(crate) p99_us: f64,
}

impl Row {
    /// Sums up `rounds`; `noop` are those of the lazy no-op asked the same way over the same transport, where it ran.
    #[must_use]
    pub(crate) fn new(lane: String, rounds: Vec<Round>, noop: Option<&[Round]>) -> Self {
        let of = |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        let cpu_us = of(&rounds, |round| round.cpu_us);
        Self {
            lane,
            cpu_us,
            ratio: noop.map(|noop| by_rounds(&rounds, noop)),
            ratio_of_medians: noop.map(|noop| cpu_us / of(noop, |round| round.cpu_us)),
            p50_us: of(&rounds, |round| round.p50_us),
            p99_us: of(&rounds, |round| round.p99_us),
            rounds,
        }
    }

    /// The CPU of this one by that of the one whose `rounds` these are.
    #[must_use]
    pub(crate) fn ratio_to(&self, rounds: &[Round]) -> f64 {
        by_rounds(&self.rounds, rounds)
    }
}

/// Median by pairs of one round: whatever else the machine does then weighs on both.
fn by_rounds(one: &[Round], other: &[Round]) -> f64 {
    median(one.iter().zip(other).map(|(one, other)| one.cpu_us / other.cpu_us))
}

/// The rows for people; also good Markdown.
#[must_use]
pub(crate) fn table(rows: &[Row]) -> String {
    let count = rows.iter().map(|row| row.rounds.len()).max().unwrap_or_default();
    let mut text = String::from("| lane                   |");
    for round in 1..=count {
        let _ = write!(text, " {round:>5} |");
    }
    text.push_str(" CPU µs a request | ratio | of medians | p50 µs | p99 µs |\n|---|");
    text.push_str(&"--:|".repeat(count + 5));
    for row in rows {
        let _ = write!(text, "\n| {:<22} |", row.lane);
        for round in &row.rounds {
            let _ = write!(text, " {:>5.2} |", round.cpu_us);
        }
        let [ratio, of_medians] = [row.ratio, row.ratio_of_medians]
            .map(|ratio| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")));
        let _ = write!(
            text,
            " {:>16.2} | {ratio:>5} | {of_medians:>10} | {:>6.0} | {:>6.0} |",
            row.cpu_us, row.p50_us, row.p99_us
        );
    }
    text
}
