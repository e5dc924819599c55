//! `cargo bench --bench soak -- --minutes 15`: a mixed load for long, and whether memory, descriptors and streams come back
//! to what they were. See benches/README.md.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::load::{Load, Tally};
use crate::options::Options;
use crate::support::admin::metric;
use crate::support::config::{self, Credential};
use crate::support::issuer::Issuer;
use crate::support::server::Server;
use crate::support::{Failure, Verdict, print, say, values};

mod load;
mod options;
mod plot;
#[path = "../support/mod.rs"]
mod support;

/// The server at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Seconds from the start.
    at: f64,
    resident_kib: f64,
    descriptors: u64,
    threads: u64,
    streams: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts the program too, and wants no figures.
        return ExitCode::SUCCESS;
    }
    support::measure(run(&options))
}

async fn run(options: &Options) -> Result<Verdict, Failure> {
    let folder = tempfile::tempdir()?;
    let issuer = std::sync::Arc::new(Issuer::start().await?);
    // So few that the memory of callers is full, and turned over many times, before the half of the time.
    let limits = json!({"verified_tokens": 2_000});
    let file = config::write_with(folder.path(), &issuer, Credential::ShortToken, 10, &limits)?;
    let server = Server::bouncer(&file).await?;
    let start = Instant::now();
    let first = sample(&server, start).await?;
    let mut load = Load::start(&server, &issuer, options.rate).await?;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut samples = Vec::new();
    print(format_args!(
        "| minute | requests | RSS KiB | descriptors | threads | streams |\n|--:|--:|--:|--:|--:|--:|"
    ));
    while start.elapsed().as_secs_f64() < options.minutes * 60.0 {
        seconds.tick().await;
        let now = sample(&server, start).await?;
        if samples.len() % 60 == 0 {
            row(&now, load.tally());
        }
        samples.push(now);
    }
    load.stop().await;
    let tally = load.tally();
    // The server learns of a closed connection when it next looks.
    sleep(Duration::from_secs(3)).await;
    let last = sample(&server, start).await?;
    row(&last, tally);
    print(format_args!("\n{tally}"));
    if let Some(path) = &options.svg {
        std::fs::write(path, plot::memory(&samples))?;
        say(format_args!("drawn: {}", path.display()));
    }
    let half = samples.get(samples.len() / 2..).unwrap_or_default();
    let mut verdict = Verdict::default();
    verdict.at_most(
        "growth of memory in the second half, KiB a minute",
        slope(half),
        Some(options.max_slope),
    );
    let more = last.descriptors as f64 - first.descriptors as f64;
    verdict.at_most("descriptors beside those of the beginning", more, Some(options.max_descriptors));
    verdict.at_most("streams at the end", last.streams, Some(0.0));
    verdict.at_most("wrong or missing answers", tally.wrong as f64, Some(options.max_errors));
    Ok(verdict)
}

fn row(now: &Sample, tally: Tally) {
    print(format_args!(
        "| {:.1} | {} | {:.0} | {} | {} | {} |",
        now.at / 60.0,
        tally.requests,
        now.resident_kib,
        now.descriptors,
        now.threads,
        now.streams
    ));
}

async fn sample(server: &Server, start: Instant) -> Result<Sample, Failure> {
    let admin = server.admin.ok_or("no admin pages")?;
    Ok(Sample {
        streams: metric(admin, "bouncer_streams_active", "").await?,
        at: start.elapsed().as_secs_f64(),
        resident_kib: server.process.resident_mib()? * 1024.0,
        descriptors: server.process.descriptors()?,
        threads: server.process.threads()?,
    })
}

/// KiB a minute, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |figure: fn(&Sample) -> f64| samples.iter().map(figure).sum::<f64>() / count;
    let (at, kib) = (mean(|sample| sample.at), mean(|sample| sample.resident_kib));
    let along: f64 = samples.iter().map(|sample| (sample.at - at) * (sample.resident_kib - kib)).sum();
    let spread: f64 = samples.iter().map(|sample| (sample.at - at).powi(2)).sum();
    along / spread * 60.0
}
