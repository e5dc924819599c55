//! `bouncer token`: the credential of one provider, obtained now, leg by leg. The credential itself is never shown.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::advice::advice;
use super::serve::on_background;
use crate::app::{NotTried, Trial, TrialError, trial};
use crate::base::{SystemClock, printable};
use crate::config::{self, report};
use crate::telemetry::harden;
use crate::token::{Fault, Legs};

/// Longer texts are cut here, in bytes.
const LONGEST: usize = 1024;

/// A sentence goes on in the next line after so many characters.
const WIDEST: usize = 100;

/// What says that there is nothing to say.
const NOTHING: &str = "-";

/// Prints what came of it. Exits 1 where there is no credential.
pub(super) fn run(path: &Path, provider: &str) -> ExitCode {
    if let Err(error) = harden() {
        let _nobody_hears = writeln!(io::stderr(), "bouncer: the process could not be hardened: {error}");
    }
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => return complain(&report::text(&faults)),
    };
    on_background(async {
        match trial(&config, provider, Arc::new(SystemClock)).await {
            Ok(trial) => {
                let own_key = config.audit.fingerprint_key.is_some();
                let key = if own_key { Key::Installation } else { Key::Process };
                match io::stdout().write_all(text(&trial, key).as_bytes()) {
                    Ok(()) if trial.result.is_ok() => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                }
            }
            Err(error) => {
                let mut text = format!("bouncer: {error}\n");
                if let NotTried::Unknown { known, .. } = &error {
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    text.push_str(&format!("providers of {}: {known}\n", path.display()));
                }
                complain(&text)
            }
        }
    })
}

fn complain(text: &str) -> ExitCode {
    let _nobody_hears = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// With which key the fingerprint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Installation,
    Process,
}

/// The whole report.
fn text(trial: &Trial, key: Key) -> String {
    let mut lines = vec![
        ("provider", format!("{} ({}, {})", trial.provider, trial.kind.as_str(), trial.auth.as_str())),
        ("source", trial.source.unwrap_or(NOTHING).to_owned()),
        ("secret", trial.secret.clone().unwrap_or_else(|| "none: the identity of this machine".to_owned())),
    ];
    match &trial.result {
        Ok(obtained) => {
            let scopes = obtained.provenance.iter().flat_map(|provenance| &provenance.scopes);
            let scopes: Vec<_> = scopes.map(|scope| printable(scope, LONGEST)).collect();
            if trial.source != Some("secret") {
                lines.push(("scopes", if scopes.is_empty() { NOTHING.to_owned() } else { scopes.join(" ") }));
            }
            lines.push((
                "expires",
                obtained.expiry.map_or("never".to_owned(), |expiry| {
                    format!("{} (in {})", expiry.unix().rfc3339(), life(expiry.left(trial.at)))
                }),
            ));
            let of = match key {
                Key::Installation => "",
                Key::Process => " (of this run only; audit.fingerprint_key makes it the server's)",
            };
            lines.push(("fingerprint", format!("{}{of}", obtained.id)));
            lines.push(("took", took(trial.took)));
        }
        Err(error) => {
            let (whose, change) = blame(error, trial.secret.as_deref());
            lines.extend(wrapped("failed", &printable(&error.to_string(), LONGEST)));
            lines.push(("fault of", whose.to_owned()));
            lines.extend(wrapped("change", &printable(&change, LONGEST)));
        }
    }
    let rows = lines.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect::<Vec<_>>();
    let mut out = columns(&rows);
    let legs = legs(&trial.legs);
    if legs.len() > 1 {
        out.push('\n');
        out.push_str(&columns(&legs));
    }
    out
}

fn blame(error: &TrialError, secret: Option<&str>) -> (&'static str, String) {
    match error {
        TrialError::Secret(_) => (
            "the operator",
            "the secret, as the line above says; `bouncer check` reads it without the network".to_owned(),
        ),
        TrialError::Source(error) => {
            let whose = match error.fault() {
                Fault::Operator => "the operator",
                Fault::Remote => "the identity provider, or the way to it",
                Fault::Bouncer => "bouncer",
            };
            (whose, advice(error, secret))
        }
    }
}

fn legs(legs: &Legs) -> Vec<Vec<String>> {
    let head = ["leg", "went to", "took", "life", ""].map(str::to_owned).to_vec();
    let rows = legs.iter().map(|leg| {
        let lives = leg.lives.map_or_else(|| NOTHING.to_owned(), life);
        let ended = if leg.succeeded { "ok" } else { "FAILED" };
        let name = match &leg.hop {
            None => leg.name.to_owned(),
            Some(hop) => format!("{} ({})", leg.name, printable(hop, LONGEST)),
        };
        vec![name, leg.to.to_string(), took(leg.took), lives, ended.to_owned()]
    });
    [head].into_iter().chain(rows).collect()
}

/// A sentence in lines that a terminal has room for.
fn wrapped<'a>(name: &'a str, text: &str) -> Vec<(&'a str, String)> {
    let mut lines = vec![(name, String::new())];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some((_, line)) if line.is_empty() => line.push_str(word),
            Some((_, line)) if line.chars().count() + word.chars().count() < WIDEST => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(("", word.to_owned())),
        }
    }
    lines
}

/// Rows below each other, each column as wide as its widest cell.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            let blanks = width(column).saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `41 ms`.
fn took(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "less than 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}

/// `59m 58s`: the two largest units.
fn life(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(3);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, name) in units.iter().skip(first).take(2) {
        if rest / length > 0 || parts.is_empty() {
            parts.push(format!("{}{name}", rest / length));
        }
        rest %= length;
    }
    parts.join(" ")
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
