//! What the benches that start real servers share: an identity provider, the questions, the client, the processes.

#![allow(dead_code, reason = "each bench is a program of its own and takes what it needs")]

use std::io::Write as _;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

pub(crate) mod admin;
#[path = "../../src/loadtest/chat.rs"]
mod chat;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod driver;
pub(crate) mod issuer;
pub(crate) mod process;
pub(crate) mod question;
pub(crate) mod server;
pub(crate) mod ticks;
pub(crate) mod values;
pub(crate) mod window;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs `work` on one thread: the servers need the other core. Ends it on Ctrl-C and SIGTERM too by dropping it: that stops
/// the servers, which would outlive a bench that dies.
pub(crate) fn measure(work: impl Future<Output = Result<Verdict, Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                result = work => result,
                _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
                _ = terminate.recv() => Err("terminated".into()),
            }
        })
    });
    match ended {
        Ok(verdict) => verdict.exit_code(),
        Err(error) => {
            say(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What was measured against what is allowed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    missed: bool,
}

impl Verdict {
    /// Prints a figure, and notes whether it is over the limit; one that is missing or no number is.
    pub(crate) fn at_most(&mut self, what: &str, measured: f64, limit: Option<f64>) {
        self.judge(what, measured, limit, "at most", |measured, limit| measured <= limit);
    }

    /// The same for one that must not be under the limit.
    pub(crate) fn at_least(&mut self, what: &str, measured: f64, limit: Option<f64>) {
        self.judge(what, measured, limit, "at least", |measured, limit| measured >= limit);
    }

    fn judge(
        &mut self,
        what: &str,
        measured: f64,
        limit: Option<f64>,
        word: &str,
        is_good: fn(f64, f64) -> bool,
    ) {
        match limit {
            None => print(format_args!("        {what}: {measured:.2}")),
            // A comparison with NaN is false.
            Some(limit) if is_good(measured, limit) => {
                print(format_args!("ok      {what}: {measured:.2}, {word} {limit}"));
            }
            Some(limit) => {
                print(format_args!("MISSED  {what}: {measured:.2}, {word} {limit}"));
                self.missed = true;
            }
        }
    }

    /// 1 where a limit was missed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// What is driven in turn, there and back: whoever comes first in one round comes last in the next.
#[must_use]
pub(crate) fn there_and_back<T>(round: usize, lanes: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut lanes: Vec<_> = lanes.into_iter().collect();
    if round % 2 == 1 {
        lanes.reverse();
    }
    lanes
}

/// The middle one, NaN of nothing; of an even number the upper of the two.
#[must_use]
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Progress, on stderr.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Figures, on stdout.
pub(crate) fn print(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
