//! `bouncer loadtest`.

mod args;
mod first_answer;
mod values;

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

pub(super) use args::LoadtestArgs;
use args::Who;
use first_answer::first_answer;

use super::serve::on_background;
use crate::base::{Clock as _, SystemClock, UnixTime};
use crate::loadtest::report::{self, Ink};
use crate::loadtest::{
    Asked, Callers, CallersError, Claims, HostError, Issuer, IssuerError, KeyError, LoadtestError, Measured,
    Plan, Process, Progress, QuestionError, Questions, Running, SigningKey, Summary, Until, UsageLine, start,
};
use crate::telemetry::may_have_colour;

/// Why nothing was measured.
#[derive(Debug, Error)]
enum Failed {
    #[error(transparent)]
    Load(#[from] LoadtestError),
    #[error(transparent)]
    Callers(#[from] CallersError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    Question(#[from] QuestionError),
    #[error("--pid: {0}")]
    Host(#[from] HostError),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{0}")]
    Wrong(String),
    /// Options that do not go together.
    #[error("{0}; see bouncer loadtest --help")]
    Usage(String),
}

/// How often the terminal is drawn.
const FRAME: Duration = Duration::from_millis(200);
/// How often the server's process is read.
const READING: Duration = Duration::from_secs(1);
/// Tokens outlive the load by this.
const SPARE: u64 = 3_600;
/// A server that has fetched keys for another run a moment ago brakes for 30 s.
const KEYS: Duration = Duration::from_secs(40);
/// More callers than that take a while to sign.
const MANY: usize = 20_000;

/// Runs the load and prints what came of it.
pub(super) fn run(args: &LoadtestArgs) -> ExitCode {
    on_background(async {
        match whole(args).await {
            Ok(code) => code,
            Err(error) => {
                say(&format!("bouncer: {error}"));
                match error {
                    Failed::Usage(_) => ExitCode::from(2),
                    _ => ExitCode::FAILURE,
                }
            }
        }
    })
}

async fn whole(args: &LoadtestArgs) -> Result<ExitCode, Failed> {
    let plan = args.plan().map_err(Failed::Usage)?;
    let process = args.pid.map(Process::of).transpose()?;
    let (callers, issuer) = callers(args, &plan).await?;
    let count = callers.count();
    let questions = Arc::new(Questions::new(&plan.target, &args.question(), callers, args.expectation())?);
    let wait = args.wait.unwrap_or(if issuer.is_some() { KEYS } else { Duration::ZERO });
    first_answer(&plan, &questions, wait, issuer.as_ref()).await?;
    let mut running = start(&plan, questions).await?;
    let (measured, began, usage) = watch(&plan, &mut running, process.as_ref()).await?;
    let asked = Asked { plan, callers: count as u64, details: args.details() };
    let summary = Summary::new(asked, began, measured.elapsed, &measured.recorder, usage.as_ref());
    conclude(args, &summary)
}

/// Who asks, and the issuer that vouches for them where it runs here.
async fn callers(args: &LoadtestArgs, plan: &Plan) -> Result<(Callers, Option<Issuer>), Failed> {
    let file = match args.who() {
        Who::Anonymous => return Ok((Callers::anonymous(), None)),
        Who::TokenFile(path) => {
            let token =
                fs::read_to_string(path).map_err(|error| Failed::File { path: path.clone(), error })?;
            let token = token.trim();
            if token.is_empty() || token.contains(char::is_whitespace) {
                return Err(Failed::Wrong(format!(
                    "{}: one token is expected, and nothing else",
                    path.display()
                )));
            }
            return Ok((Callers::with_token(token.to_owned()), None));
        }
        Who::Signed(file) => file,
    };
    let key = match file {
        None => SigningKey::generate()?,
        Some(path) => SigningKey::read(path, args.kid.clone())?,
    };
    let issuer = match (args.jwks_listen, file) {
        (None, Some(_)) => None,
        (address, _) => {
            let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            Some(Issuer::start(address, args.issuer.as_deref(), &key).await?)
        }
    };
    let name = args.issuer.clone().or_else(|| issuer.as_ref().map(|issuer| issuer.url().to_owned()));
    let name = name.ok_or_else(|| Failed::Usage("--key needs --issuer, or --jwks-listen".to_owned()))?;
    if let Some(issuer) = &issuer {
        say(&format!(
            "callers: iss {name}, aud {}; key set {}/jwks, for callers.jwt of the server's configuration",
            args.audience,
            issuer.url()
        ));
    }
    let lasts = match plan.until {
        Until::Elapsed(time) => time.as_secs(),
        Until::Requests(_) => 0,
    };
    let claims = Claims {
        issuer: name,
        audience: args.audience.clone(),
        others: args.claims.clone(),
        issued: SystemClock.now().unix.0,
        lifetime: lasts + plan.warm_up.as_secs() + SPARE,
    };
    if args.callers.get() > MANY {
        say(&format!("signing {} tokens ({})", args.callers, key.algorithm()));
    }
    Ok((sign(key, claims, args.callers).await?, issuer))
}

/// Beside the runtime, which serves the key set meanwhile.
async fn sign(key: SigningKey, claims: Claims, count: NonZeroUsize) -> Result<Callers, Failed> {
    let signing = tokio::task::spawn_blocking(move || Callers::signed(&key, &claims, count));
    Ok(signing.await.unwrap_or(Err(CallersError::Key(KeyError::Sign)))?)
}

/// Shows how far it is until it is over, or until Ctrl-C.
async fn watch(
    plan: &Plan,
    running: &mut Running,
    process: Option<&Process>,
) -> Result<(Measured, UnixTime, Option<UsageLine>), Failed> {
    let zero = running.zero();
    let mut progress = Progress::new(plan.until, running.gauges());
    let mut usage = process.map(|_| UsageLine::default());
    let mut read = |at: Duration| {
        if let (Some(usage), Some(process)) = (&mut usage, process) {
            // That it has ended shows in the answers.
            if let Ok(reading) = process.usage() {
                usage.add(at, reading);
            }
        }
    };
    let mut began = SystemClock.now().unix;
    let mut frames = tokio::time::interval(FRAME);
    let mut next_reading = zero;
    let stopper = running.stopper();
    let mut interrupted = std::pin::pin!(async move {
        let _no_signals = tokio::signal::ctrl_c().await;
        stopper.send_replace(true);
        std::future::pending::<()>().await;
    });
    let mut finished = std::pin::pin!(running.finish());
    let measured = loop {
        tokio::select! {
            measured = finished.as_mut() => break measured?,
            () = interrupted.as_mut() => {}
            () = tokio::time::sleep_until(next_reading) => {
                if next_reading == zero {
                    began = SystemClock.now().unix;
                }
                read(zero.elapsed());
                next_reading += READING;
            }
            _ = frames.tick() => match zero.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => progress.warming_up(left),
                _ => progress.show(zero.elapsed()),
            },
        }
    };
    read(zero.elapsed());
    progress.end();
    Ok((measured, began, usage))
}

/// Prints the result, writes the report, and says which limits were missed.
fn conclude(args: &LoadtestArgs, summary: &Summary) -> Result<ExitCode, Failed> {
    let missed = args.limits(summary.requests).missed(summary);
    let ink = if may_have_colour(&io::stdout()) { Ink::Colour } else { Ink::Plain };
    let text = if args.json { report::json(summary, &missed) } else { report::text(summary, &missed, ink) };
    let printed = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    if let Some(path) = &args.report {
        let html = report::html(summary, &missed);
        fs::write(path, html).map_err(|error| Failed::File { path: path.clone(), error })?;
    }
    Ok(if missed.is_empty() && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) {
    let _nobody_hears = writeln!(io::stderr(), "{text}");
}
