//! New callers and very many callers: signatures verified, memory, and what the known ones notice.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::options::Options;
use crate::support::admin::metric;
use crate::support::config::{self, Credential};
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::question::{CLUSTER, Protocol, Question};
use crate::support::server::Server;
use crate::support::{Failure, Verdict, median, print, say};
use crate::{cpu, own};

/// Tokens that come many times at once, each for the first time.
const BURSTS: u64 = 50;

/// Callers that were there before the flood and go on calling.
const KNOWN: u64 = 1_000;

/// Of the requests beside the flood, so many come from a known caller for one that comes from a new one.
const KNOWN_FOR_ONE: usize = 4;

/// The bursts' numbers, beyond those of the others.
const BEYOND: u64 = 1 << 40;

/// A burst of requests with a token that was never seen, over several connections: how many signatures are verified.
pub(crate) async fn first(
    options: &Options,
    folder: &Path,
    issuer: &Issuer,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let file = config::write(&own(folder, "first")?, issuer, Credential::ApiKey, 1)?;
    let server = Server::bouncer(&file).await?;
    let admin = server.admin.ok_or("no admin pages")?;
    let before = verified(admin).await?;
    for burst in 0..BURSTS {
        let question = Question::one(Protocol::ExtProc, &issuer.token_of(BEYOND + burst)?);
        drive(server.tcp()?, &question, Load { requests: 256, connections: 4, streams: 256 }).await?;
    }
    let each = (verified(admin).await? - before) / BURSTS as f64;
    verdict.at_most(
        "signatures verified for a new token, 256 times at once over 4 connections",
        each,
        Some(options.max_verifications),
    );
    Ok(())
}

/// Known callers alone and beside a flood of new ones, in turn, until as many came as were to come.
pub(crate) async fn many(
    options: &Options,
    folder: &Path,
    issuer: &Arc<Issuer>,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let file = config::write(&own(folder, "callers")?, issuer, Credential::ApiKey, 1)?;
    let server = Server::bouncer(&file).await?;
    let admin = server.admin.ok_or("no admin pages")?;
    let known = (0..KNOWN)
        .map(|caller| Ok(Protocol::ExtProc.ask(&issuer.token_of(caller)?, CLUSTER)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let alone = Question::in_turn(Protocol::ExtProc, known.clone());
    cpu(&server, &alone, options.requests).await?;
    let base = server.process.resident_mib()?;
    let rounds = options.rounds.max(1);
    let flood = options.callers / rounds / 2;
    let (mut next, mut figures, mut peak) = (KNOWN, Vec::new(), base);
    for round in 1..=rounds {
        let before = cpu(&server, &alone, options.requests).await?;
        let new = cpu(&server, &flooding(issuer, next), flood).await?;
        next += flood as u64;
        // The same flood, and known callers in between.
        let beside = cpu(&server, &mixed(issuer, next, known.clone()), flood * (KNOWN_FOR_ONE + 1)).await?;
        next += flood as u64;
        let share = KNOWN_FOR_ONE as f64;
        let beside = (beside * (share + 1.0) - new) / share;
        peak = peak.max(server.process.resident_mib()?);
        say(format_args!(
            "round {round}: known {before:.2} alone, {beside:.2} beside the flood, new {new:.2} CPU µs a request; {peak:.0} MiB"
        ));
        figures.push([before, beside, new]);
    }
    let cached = metric(admin, "bouncer_jwt_verifications_total", "cached").await?;
    drive(server.tcp()?, &alone, Load { requests: known.len(), connections: 1, streams: 64 }).await?;
    let still = (metric(admin, "bouncer_jwt_verifications_total", "cached").await? - cached) / KNOWN as f64;
    let of = |figure: fn(&[f64; 3]) -> f64| median(figures.iter().map(figure));
    print(format_args!(
        "{} distinct callers: known {:.2} CPU µs a request alone, {:.2} beside the flood; new {:.2}; resident MiB {base:.0} before, {peak:.0} at most",
        next - KNOWN,
        of(|figures| figures[0]),
        of(|figures| figures[1]),
        of(|figures| figures[2]),
    ));
    verdict.at_most("resident MiB after the flood", peak, Some(options.max_flood_mib));
    verdict.at_most(
        "known callers, CPU beside the flood to that without it",
        of(|figures| figures[1] / figures[0]),
        Some(options.max_known_ratio),
    );
    verdict.at_least("known callers that are still in the cache", still, Some(options.min_known));
    Ok(())
}

/// A new caller each time.
fn flooding(issuer: &Arc<Issuer>, from: u64) -> Question {
    let issuer = Arc::clone(issuer);
    Question::made(Protocol::ExtProc, move |nth| {
        // A token that could not be signed is none, and the answer to it is wrong.
        let token = issuer.token_of(from + nth as u64).unwrap_or_default();
        Protocol::ExtProc.ask(&token, CLUSTER)
    })
}

/// Known callers, and a new one in between.
fn mixed(issuer: &Arc<Issuer>, from: u64, known: Vec<bytes::Bytes>) -> Question {
    let new = flooding(issuer, from);
    Question::made(Protocol::ExtProc, move |nth| match nth % (KNOWN_FOR_ONE + 1) {
        0 => (new.nth)(nth / (KNOWN_FOR_ONE + 1)),
        _ => known.get(nth % known.len().max(1)).cloned().unwrap_or_default(),
    })
}

async fn verified(admin: SocketAddr) -> Result<f64, Failure> {
    metric(admin, "bouncer_jwt_verifications_total", "accepted").await
}
