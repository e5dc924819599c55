//! `--paced`: latencies at half of the rate at which the lazy no-op is saturated, the same rate for both, in an open loop;
//! then bouncer again while something happens in the background.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::cpu::percentile;
use crate::options::{Kind, Options};
use crate::support::admin::metric;
use crate::support::client::{Address, Client};
use crate::support::config::{self, Credential};
use crate::support::driver::{Load, drive, pace};
use crate::support::issuer::Issuer;
use crate::support::question::{CLUSTER, Protocol, Question};
use crate::support::server::Server;
use crate::support::{Failure, Verdict, median, print, say, there_and_back};

/// Entries of the configuration that is taken meanwhile.
const ENTRIES: usize = 1_000;

/// Between two rotations: the first seconds of a slice pass before the key is there.
const BRAKE: Duration = Duration::from_secs(31);

/// More than are ever open: an open loop does not wait for answers.
const STREAMS: usize = 4_096;

/// Who is driven, and what happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slice {
    Lazy,
    Bouncer,
    /// The token on the requests is renewed every second.
    Tokens,
    /// A configuration with [`ENTRIES`] entries is taken, then one with a single entry again.
    Reload,
    /// The issuer shows a new key, and a caller comes with a token that it signed.
    Rotation,
}

const SLICES: [Slice; 5] = [Slice::Lazy, Slice::Bouncer, Slice::Tokens, Slice::Reload, Slice::Rotation];

impl Slice {
    fn name(self) -> &'static str {
        match self {
            Self::Lazy => "lazy no-op",
            Self::Bouncer => "bouncer",
            Self::Tokens => "bouncer, tokens renewed every second",
            Self::Reload => "bouncer, two reloads of 1000 entries",
            Self::Rotation => "bouncer, JWKS rotation",
        }
    }
}

/// p50 and p99, µs.
type Figures = [f64; 2];

/// The bouncer that things happen to.
struct Eventful {
    server: Server,
    /// The two configurations, and where the server reads the one that counts.
    file: PathBuf,
    small: Vec<u8>,
    large: Vec<u8>,
}

/// Measures, prints the table and judges it.
///
/// # Errors
/// When a server does not start, answers wrongly, or what was to happen did not.
pub(crate) async fn run(options: &Options, folder: &Path, issuer: &Issuer) -> Result<Verdict, Failure> {
    let lazy = Kind::Lazy.start(folder, issuer).await?;
    let bouncer = Kind::Bouncer.start(folder, issuer).await?;
    let eventful = Eventful::start(&folder.join("eventful"), issuer).await?;
    let question = Question::one(Protocol::ExtProc, &issuer.token);
    for server in [&lazy, &bouncer, &eventful.server] {
        drive(server.tcp()?, &question, Load { requests: 10_000, connections: 1, streams: 64 }).await?;
    }
    let rate = match options.rate {
        Some(rate) => rate,
        None => saturation(lazy.tcp()?, &question, options.load()).await? / 2.0,
    };
    say(format_args!("{rate:.0} requests a second"));
    let requests = (rate * options.seconds) as usize;
    let load = Load { requests, connections: options.connections, streams: STREAMS };
    let mut figures: [Vec<Figures>; SLICES.len()] = Default::default();
    let mut rotated = Instant::now();
    for round in 1..=options.rounds {
        for (slice, figures) in there_and_back(round.into(), SLICES.into_iter().zip(&mut figures)) {
            if slice == Slice::Rotation {
                // bouncer asks an issuer because of an unknown key no more often than that.
                sleep_until(rotated + BRAKE).await;
                rotated = Instant::now();
            }
            let driven = |address| paced(address, &question, load, rate);
            let took = match slice {
                Slice::Lazy => driven(lazy.tcp()?).await?,
                Slice::Bouncer => driven(bouncer.tcp()?).await?,
                Slice::Tokens | Slice::Reload | Slice::Rotation => {
                    let (took, ()) = tokio::try_join!(
                        driven(eventful.server.tcp()?),
                        eventful.happens(slice, issuer, Duration::from_secs_f64(options.seconds))
                    )?;
                    took
                }
            };
            say(format_args!("round {round} {}: p50 {:.0} µs, p99 {:.0} µs", slice.name(), took[0], took[1]));
            figures.push(took);
        }
    }
    print(format_args!("| {rate:.0} requests a second | p50 µs | p99 µs | p99, ratio |\n|---|--:|--:|--:|"));
    let mut verdict = Verdict::default();
    let mut ratios = Vec::new();
    for (slice, rounds) in SLICES.into_iter().zip(&figures) {
        let of = |place: usize| median(rounds.iter().filter_map(|figures| figures.get(place)).copied());
        let ratio = median(rounds.iter().zip(&figures[0]).map(|(own, noop)| own[1] / noop[1]));
        print(format_args!("| {} | {:.0} | {:.0} | {ratio:.2} |", slice.name(), of(0), of(1)));
        ratios.push((slice, ratio));
    }
    for (slice, ratio) in ratios.into_iter().filter(|(slice, _)| *slice != Slice::Lazy) {
        verdict.at_most(
            &format!("{}, p99 to that of the lazy no-op", slice.name()),
            ratio,
            options.max_p99_ratio,
        );
    }
    Ok(verdict)
}

async fn paced(address: &Address, question: &Question, load: Load, rate: f64) -> Result<Figures, Failure> {
    let mut times = pace(address, question, load, rate).await?;
    times.sort_unstable();
    Ok([percentile(&times, 50.0), percentile(&times, 99.0)])
}

/// Answers a second, where an open loop asks for as many as there are in a closed one: fewer, for what comes one by one and not
/// in step costs client and server a system call each.
async fn saturation(address: &Address, question: &Question, load: Load) -> Result<f64, Failure> {
    let rate = |began: std::time::Instant| load.requests as f64 / began.elapsed().as_secs_f64();
    let mut rates = Vec::new();
    for _ in 0..5 {
        let closed = std::time::Instant::now();
        drive(address, question, load).await?;
        let asked = rate(closed);
        let open = std::time::Instant::now();
        pace(address, question, Load { streams: STREAMS, ..load }, asked).await?;
        rates.push(rate(open));
    }
    Ok(median(rates))
}

impl Eventful {
    async fn start(folder: &Path, issuer: &Issuer) -> Result<Self, Failure> {
        let large = fs::read(config::write(folder, issuer, Credential::ShortToken, ENTRIES)?)?;
        let file = config::write(folder, issuer, Credential::ShortToken, 1)?;
        let small = fs::read(&file)?;
        Ok(Self { server: Server::bouncer(&file).await?, file, small, large })
    }

    /// Lets it happen within `span`.
    async fn happens(&self, slice: Slice, issuer: &Issuer, span: Duration) -> Result<(), Failure> {
        let admin = self.server.admin.ok_or("no admin pages")?;
        match slice {
            Slice::Lazy | Slice::Bouncer => {}
            Slice::Tokens => {
                let before = issuer.granted();
                sleep(span.mul_f64(0.9)).await;
                let renewed = issuer.granted() - before;
                if (renewed as f64) < span.as_secs_f64() * 0.5 {
                    return Err(format!("only {renewed} tokens were renewed").into());
                }
            }
            Slice::Reload => {
                let before = metric(admin, "bouncer_config_generation", "").await?;
                for text in [&self.large, &self.small] {
                    sleep(span.mul_f64(0.2)).await;
                    self.put(text).await?;
                }
                sleep(span.mul_f64(0.5)).await;
                let taken = metric(admin, "bouncer_config_generation", "").await? - before;
                if taken < 2.0 {
                    return Err(format!("{taken} of 2 configurations were taken").into());
                }
            }
            Slice::Rotation => {
                sleep(span.mul_f64(0.4)).await;
                let token = issuer.rotate()?;
                let question = Question::one(Protocol::ExtProc, &token);
                let mut client = Client::connect(self.server.tcp()?, Protocol::ExtProc).await?;
                let answer = client.ask(Protocol::ExtProc.ask(&token, CLUSTER), &question).await?;
                question.judge(answer.get(5..).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Puts the configuration in place at once: half of one would be taken for a bad one.
    async fn put(&self, text: &[u8]) -> Result<(), Failure> {
        let new = self.file.with_extension("new");
        tokio::fs::write(&new, text).await?;
        tokio::fs::rename(&new, &self.file).await?;
        Ok(())
    }
}
