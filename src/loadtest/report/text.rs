//! A report for a terminal of 80 columns.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use super::super::limits::Missed;
use super::super::summary::{Bar, Interval, Latency, Server, Summary};
use super::super::units;
use super::words;
use crate::telemetry::may_have_colour;

/// The widest line.
const COLUMNS: usize = 80;
/// The names on the left.
const NAME: usize = 12;
/// Lines of the histogram.
const LINES: usize = 8;
/// The longest bar of it.
const BAR: usize = 36;
/// Columns of the time line.
const SPARKS: usize = 60;

/// Whether the reader sees colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A terminal that wants them.
    Colour,
    /// A file, a pipe, or `NO_COLOR`.
    Plain,
}

/// The report of a run, readable at a glance.
#[must_use]
pub fn text(summary: &Summary, missed: &[Missed], ink: Ink) -> String {
    let mut sheet = Sheet { out: String::new(), ink };
    sheet.asked(summary);
    sheet.answers(summary);
    if let Some(latency) = &summary.latency {
        sheet.latency(latency);
    }
    sheet.time_line(&summary.timeline);
    sheet.errors(summary);
    if let Some(server) = &summary.server {
        sheet.server(server);
    }
    sheet.missed(missed);
    sheet.out
}

/// Writing to a String does not fail.
struct Sheet {
    out: String,
    ink: Ink,
}

impl Ink {
    /// For what is written to `stream`.
    #[must_use]
    pub fn of(stream: &impl IsTerminal) -> Self {
        if may_have_colour(stream) { Self::Colour } else { Self::Plain }
    }
}

impl Sheet {
    fn asked(&mut self, summary: &Summary) {
        let (asked, plan) = (&summary.asked, &summary.asked.plan);
        let target = &plan.target;
        let title = format!("{} at {}", words::protocol(target.protocol), words::address(&target.address));
        let title = self.painted("1", title);
        let _ = writeln!(self.out, "{title}, {}", words::transport(target));
        let _ = writeln!(self.out, "{} for {}", words::pace(plan.pace), units::span(summary.elapsed));
        let _ = writeln!(self.out, "{}", words::crowd(asked).join(", "));
        for (name, value) in words::facts(asked).iter().skip(words::FACTS) {
            let _ = writeln!(self.out, "{name}: {value}");
        }
    }

    fn answers(&mut self, summary: &Summary) {
        let (right, all) = (summary.right, summary.requests);
        self.section();
        let part =
            format!("{} of {} ({})", units::count(right), units::count(all), units::percent(right, all));
        let part = if summary.wrong() > 0 { self.painted("31", part) } else { part };
        self.line("right", part);
        let asked = summary
            .rate_asked()
            .map_or_else(String::new, |rate| format!(" of {}/s asked", units::rate(rate)));
        let rate = self.painted("1", format!("{}/s", units::rate(summary.rate)));
        self.line("rate", format!("{rate}{asked}"));
    }

    fn latency(&mut self, latency: &Latency) {
        self.section();
        let columns = [
            ("min", latency.min),
            ("mean", latency.mean_micros()),
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p99.9", latency.p999),
            ("max", latency.max),
        ];
        let names: String = columns.iter().map(|(name, _)| format!("{name:>9}")).collect();
        let values: String = columns.iter().map(|(_, took)| format!("{:>9}", units::micros(*took))).collect();
        let names = self.painted("2", names);
        let values = self.painted("1", values);
        self.line("latency", names.trim_end());
        self.line("", values);
        if latency.clamped > 0 {
            self.line(
                "",
                format!("{} took more than a minute and count as one", units::count(latency.clamped)),
            );
        }
        let _ = writeln!(self.out);
        let lines = grouped(&latency.bars);
        let most = lines.iter().chain(&latency.tail).map(|bar| bar.count).max().unwrap_or(1);
        for bar in &lines {
            self.bar(&format!("to {}", units::micros(bar.to)), bar, most, latency.count);
        }
        if let Some(tail) = &latency.tail {
            self.bar("longer", tail, most, latency.count);
        }
    }

    fn bar(&mut self, name: &str, bar: &Bar, most: u64, all: u64) {
        let length = eighths(bar.count, most, BAR as u64 * 8);
        let mut drawn = "█".repeat(length / 8);
        drawn.extend(["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(length % 8).copied());
        let pad = " ".repeat(BAR - drawn.chars().count());
        let drawn = self.painted("36", drawn);
        let _ = writeln!(self.out, "  {name:<NAME$}{drawn}{pad}  {:>9}", units::percent(bar.count, all));
    }

    fn time_line(&mut self, timeline: &[Interval]) {
        let rates = squeezed(timeline, |all| all.iter().map(Interval::rate).fold(f64::INFINITY, f64::min));
        let p99s = squeezed(timeline, |all| {
            let longest = all.iter().filter_map(|part| part.took).map(|(_, p99, _)| p99).max();
            longest.map_or(f64::NAN, float)
        });
        // A curve of two points tells nothing.
        if timeline.len() < 3 {
            return;
        }
        self.section();
        let range = |values: &[f64], unit: fn(f64) -> String| {
            let known = || values.iter().copied().filter(|value| value.is_finite());
            let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(0.0, f64::max));
            if least.is_finite() { format!("{} to {}", unit(least), unit(most)) } else { "none".to_owned() }
        };
        let per_second = |rate| format!("{}/s", units::rate(rate));
        for (name, values, range) in [
            ("rate", &rates, range(&rates, per_second)),
            ("p99", &p99s, range(&p99s, |micros| units::micros(rounded(micros)))),
        ] {
            let curve = self.painted("36", sparks(values));
            self.line(name, curve);
            let range = self.painted("2", range);
            self.line("", range);
        }
    }

    fn errors(&mut self, summary: &Summary) {
        let errors = words::errors(summary);
        if errors.is_empty() {
            return;
        }
        self.section();
        for (index, (count, line)) in errors.iter().enumerate() {
            let name = if index == 0 { "errors" } else { "" };
            let count = self.painted("31", format!("{:>9}", units::count(*count)));
            for (index, part) in folded(line, COLUMNS - NAME - 2 - 11).iter().enumerate() {
                if index == 0 {
                    self.line(name, format!("{count}  {part}"));
                } else {
                    self.line("", format!("           {part}"));
                }
            }
        }
    }

    fn server(&mut self, server: &Server) {
        self.section();
        let cores = units::three(server.cores);
        let cpu = server.cpu_per_request.map_or_else(
            || format!("{cores} cores in use"),
            |cpu| {
                format!(
                    "{} CPU a request, {cores} cores in use",
                    self.painted("1", format!("{} µs", units::three(cpu)))
                )
            },
        );
        self.line("server", cpu);
        let [start, peak, end] =
            [server.start.rss_bytes, server.peak_rss_bytes, server.end.rss_bytes].map(units::bytes);
        self.line("", format!("memory {start} at the start, {peak} at most, {end} at the end"));
        let files = server.end.descriptors.map(|files| format!(", {}", units::number(files, "open file")));
        self.line(
            "",
            format!("{}{}", units::number(server.end.threads, "thread"), files.unwrap_or_default()),
        );
    }

    fn missed(&mut self, missed: &[Missed]) {
        if missed.is_empty() {
            return;
        }
        self.section();
        for (index, each) in missed.iter().enumerate() {
            let each = self.painted("1;31", each);
            self.line(if index == 0 { "missed" } else { "" }, each);
        }
    }

    fn section(&mut self) {
        self.out.push('\n');
    }

    fn line(&mut self, name: &str, text: impl fmt::Display) {
        let _ = writeln!(self.out, "  {name:<NAME$}{text}");
    }

    fn painted(&self, code: &str, text: impl fmt::Display) -> String {
        match self.ink {
            Ink::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Ink::Plain => text.to_string(),
        }
    }
}

/// Neighbours put together, so that at most [`LINES`] are left; those without any at the end are left out.
fn grouped(bars: &[Bar]) -> Vec<Bar> {
    let group = bars.len().div_ceil(LINES).max(1);
    bars.chunks(group)
        .filter_map(|bars| {
            let (first, last) = (bars.first()?, bars.last()?);
            Some(Bar { from: first.from, to: last.to, count: bars.iter().map(|bar| bar.count).sum() })
        })
        .collect()
}

/// At most [`SPARKS`] values, each of as many intervals as it takes.
fn squeezed(timeline: &[Interval], of: impl Fn(&[Interval]) -> f64) -> Vec<f64> {
    timeline.chunks(timeline.len().div_ceil(SPARKS).max(1)).map(of).collect()
}

/// A curve from zero to the most of it, one character a value.
fn sparks(values: &[f64]) -> String {
    let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let spark = |value: &f64| {
        if !value.is_finite() {
            return ' ';
        }
        let height = eighths(rounded(*value * 1_000.0), rounded(most * 1_000.0), 8);
        ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'].get(height).copied().unwrap_or(' ')
    };
    values.iter().map(spark).collect()
}

/// `part` of `whole` in so many steps; at least one where there is any.
fn eighths(part: u64, whole: u64, steps: u64) -> usize {
    let whole = u128::from(whole.max(1));
    let rounded = (u128::from(part) * u128::from(steps) + whole / 2) / whole;
    usize::try_from(rounded.max(u128::from(part > 0)))
        .unwrap_or_default()
        .min(usize::try_from(steps).unwrap_or(0))
}

/// Lines of at most `width` characters, broken at spaces where there are some.
fn folded(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if line.chars().count() == width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[allow(clippy::cast_precision_loss, reason = "told in three digits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and told in three digits"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
