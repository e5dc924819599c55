//! Very many entries: the CPU of a request to one of them, and of requests to all of them in turn.

use std::path::Path;

use crate::options::Options;
use crate::support::config::{self, Credential, cluster};
use crate::support::issuer::Issuer;
use crate::support::question::{Protocol, Question};
use crate::support::server::Server;
use crate::support::{Failure, Verdict, median, say, there_and_back};
use crate::{cpu, own};

pub(crate) async fn run(
    options: &Options,
    folder: &Path,
    issuer: &Issuer,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let one = config::write(&own(folder, "one")?, issuer, Credential::ApiKey, 1)?;
    let one = Server::bouncer(&one).await?;
    let many = config::write(&own(folder, "many")?, issuer, Credential::ApiKey, options.entries)?;
    let many = Server::bouncer(&many).await?;
    say(format_args!(
        "{} entries: ready after {:.0} ms, {:.0} MiB",
        options.entries,
        many.took.as_secs_f64() * 1e3,
        many.process.resident_mib()?
    ));
    let same = Question::one(Protocol::ExtProc, &issuer.token);
    let frames = |count: usize| {
        // Not in the order of the configuration: each one's neighbour would be in the processor's cache.
        let step = 7_919;
        (0..count).map(|nth| Protocol::ExtProc.ask(&issuer.token, &cluster(nth * step % count))).collect()
    };
    let spread = Question::in_turn(Protocol::ExtProc, frames(options.entries));
    // The client sends as many different bytes to the one entry: what its own cache misses is not the server's.
    let like_spread: Vec<_> = (0..options.entries).map(|nth| copied(&(same.nth)(nth))).collect();
    let like_spread = Question::in_turn(Protocol::ExtProc, like_spread);
    let lanes = [(&one, &same), (&many, &same), (&one, &like_spread), (&many, &spread)];
    let mut rounds = Vec::new();
    for round in 0..=options.rounds {
        let mut figures = [0.0; 4];
        for ((server, question), figure) in there_and_back(round, lanes.iter().zip(&mut figures)) {
            *figure = cpu(server, question, options.requests).await?;
        }
        let [a, b, c, d] = figures;
        say(format_args!(
            "round {round}: one {a:.2}, many {b:.2}; in turn: one {c:.2}, many {d:.2} CPU µs a request"
        ));
        // The first one warms up.
        if round > 0 {
            rounds.push([b / a, d / c]);
        }
    }
    let limit = Some(options.max_entries_ratio);
    let of = |place: usize| median(rounds.iter().filter_map(|ratios| ratios.get(place)).copied());
    verdict.at_most(
        &format!("CPU of a request to one of {} entries, to that of a single one", options.entries),
        of(0),
        limit,
    );
    verdict.at_most(&format!("the same, requests to all {} in turn", options.entries), of(1), limit);
    Ok(())
}

fn copied(frame: &bytes::Bytes) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(frame)
}
