//! The CPU of a request: every lane in turn, round after round.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::lanes::{Lane, Lanes};
use crate::options::{Kind, Options};
use crate::report::{self, Row};
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::Protocol;
use crate::support::{Failure, Verdict, print, say, there_and_back};

/// One lane driven once.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Round {
    /// User and system time of the server's process, µs a request.
    pub(crate) cpu_us: f64,
    /// Median time to the answer, µs.
    pub(crate) p50_us: f64,
    /// 99th percentile, µs.
    pub(crate) p99_us: f64,
    /// Answers a second.
    pub(crate) rate: f64,
}

/// Measures, prints the table and judges it.
///
/// # Errors
/// When a server does not start, or answers wrongly.
pub(crate) async fn run(options: &Options, folder: &Path, issuer: &Issuer) -> Result<Verdict, Failure> {
    let load = options.load();
    let started = Lanes::start(&options.servers, folder, issuer).await?;
    let lanes = &started.lanes;
    for lane in lanes {
        round(lane, Load { requests: load.requests.div_ceil(10), ..load }).await?;
    }
    let mut rounds = vec![Vec::new(); lanes.len()];
    for number in 0..options.rounds {
        for (lane, rounds) in there_and_back(number.into(), lanes.iter().zip(&mut rounds)) {
            let round = round(lane, load).await?;
            say(format_args!(
                "round {} {}: {:.2} CPU µs a request, {:.0} requests/s",
                number + 1,
                lane.name(),
                round.cpu_us,
                round.rate
            ));
            rounds.push(round);
        }
    }
    let noop = |lane: &Lane| {
        let mut all = lanes.iter().zip(&rounds);
        all.find(|(other, _)| {
            other.kind == Kind::Lazy
                && other.protocol == lane.protocol
                && other.address.transport() == lane.address.transport()
        })
        .map(|(_, rounds)| rounds.as_slice())
    };
    let rows: Vec<_> = lanes
        .iter()
        .zip(&rounds)
        .map(|(lane, rounds)| Row::new(lane.name(), rounds.clone(), noop(lane)))
        .collect();
    if options.json {
        print(format_args!(
            "{}",
            serde_json::json!({
                "requests": options.requests, "streams": options.streams, "connections": options.connections,
                "lanes": rows,
            })
        ));
    } else {
        print(format_args!("{}", report::table(&rows)));
    }
    Ok(judge(&rows, options))
}

/// Drives a lane and reads the clock of the server's process before and after.
///
/// # Errors
/// When an answer is wrong, or the process is gone.
pub(crate) async fn round(lane: &Lane, load: Load) -> Result<Round, Failure> {
    let cpu = lane.process.cpu_seconds()?;
    let start = Instant::now();
    let mut times = drive(&lane.address, &lane.question, load).await?;
    let took = start.elapsed().as_secs_f64();
    let cpu = lane.process.cpu_seconds()? - cpu;
    times.sort_unstable();
    let requests = load.requests as f64;
    Ok(Round {
        cpu_us: cpu * 1e6 / requests,
        p50_us: percentile(&times, 50.0),
        p99_us: percentile(&times, 99.0),
        rate: requests / took,
    })
}

/// Of sorted times, in µs.
#[must_use]
pub(crate) fn percentile(sorted: &[Duration], percent: f64) -> f64 {
    let index = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

fn judge(rows: &[Row], options: &Options) -> Verdict {
    let mut verdict = Verdict::default();
    let row = |name: &str| rows.iter().find(|row| row.lane == name);
    for (protocol, transport, limit) in [
        (Protocol::ExtProc, "tcp", options.max_ratio),
        (Protocol::ExtProc, "unix", options.max_ratio),
        (Protocol::ExtAuthz, "tcp", options.max_ratio),
        // Told, and no target.
        (Protocol::ExtAuthz, "unix", None),
    ] {
        let lane = format!("bouncer {} {transport}", protocol.name());
        let ratio = row(&lane).and_then(|row| row.ratio).unwrap_or(f64::NAN);
        if ratio.is_finite() || limit.is_some() {
            verdict.at_most(&format!("{lane}, CPU to that of the lazy no-op"), ratio, limit);
        }
    }
    let (key, token) = (row("bouncer ext_proc tcp"), row("token ext_proc tcp"));
    let ratio = token.zip(key).map_or(f64::NAN, |(token, key)| token.ratio_to(&key.rounds));
    if ratio.is_finite() || options.max_token_ratio.is_some() {
        verdict.at_most("a token, CPU to that of an API key", ratio, options.max_token_ratio);
    }
    verdict
}
