//! The mixed load: known callers over ext_proc and ext_authz, new ones, such as are refused, such as go away before their
//! answer, and connections that come and go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::client::{Address, Client};
use crate::support::issuer::Issuer;
use crate::support::question::{CLUSTER, Protocol, Question};
use crate::support::server::Server;
use crate::support::{Failure, say};

/// So often is a handful of requests sent.
const TICK: Duration = Duration::from_millis(5);

/// A connection is closed, and another one opened, after so many requests on it.
const REQUESTS_OF_ONE: u64 = 2_000;

/// Of these hundred requests, those of the last five are reset; see [`Mix::nth`].
const HUNDRED: u64 = 100;

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) new_callers: u64,
    pub(crate) refused: u64,
    pub(crate) reset: u64,
    pub(crate) connections: u64,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    wrong: AtomicU64,
    new_callers: AtomicU64,
    refused: AtomicU64,
    reset: AtomicU64,
    connections: AtomicU64,
    stop: AtomicBool,
}

/// A load that runs until it is stopped.
pub(crate) struct Load {
    counts: Arc<Counts>,
    lanes: JoinSet<()>,
}

/// What one connection is asked.
struct Mix {
    known: Question,
    refused: Question,
    issuer: Arc<Issuer>,
}

enum Asked {
    /// And the answer is judged.
    Fully(Bytes, Question),
    /// And reset.
    Hastily(Bytes),
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, wrong, new_callers, refused, reset, connections } = self;
        write!(
            f,
            "{requests} requests over {connections} connections: {new_callers} by new callers, {refused} with a forged token, \
             {reset} reset; {wrong} answered wrongly or not at all"
        )
    }
}

impl Load {
    /// Connects and begins.
    ///
    /// # Errors
    /// When the server has no such listener.
    pub(crate) async fn start(server: &Server, issuer: &Arc<Issuer>, rate: u32) -> Result<Self, Failure> {
        let counts = Arc::new(Counts::default());
        let mut lanes = JoinSet::new();
        let each = (f64::from(rate) / 4.0 * TICK.as_secs_f64()).max(1.0) as u64;
        for (protocol, transport) in [
            (Protocol::ExtProc, "tcp"),
            (Protocol::ExtProc, "unix"),
            (Protocol::ExtProc, "tcp"),
            (Protocol::ExtAuthz, "tcp"),
        ] {
            let mix = Mix::new(protocol, issuer);
            let address = server.by_transport(transport)?.clone();
            lanes.spawn(lane(mix, address, each, Arc::clone(&counts)));
        }
        Ok(Self { counts, lanes })
    }

    /// What was sent so far.
    #[must_use]
    pub(crate) fn tally(&self) -> Tally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            requests: of(&self.counts.requests),
            wrong: of(&self.counts.wrong),
            new_callers: of(&self.counts.new_callers),
            refused: of(&self.counts.refused),
            reset: of(&self.counts.reset),
            connections: of(&self.counts.connections),
        }
    }

    /// Ends it, once what was asked is answered.
    pub(crate) async fn stop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
        while self.lanes.join_next().await.is_some() {}
    }
}

/// One connection after the other.
async fn lane(mix: Mix, address: Address, each: u64, counts: Arc<Counts>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let protocol = mix.known.protocol;
    while !counts.stop.load(Ordering::Relaxed) {
        let client = match Client::connect(&address, protocol).await {
            Ok(client) => client,
            Err(error) => {
                missed(&counts, &error);
                continue;
            }
        };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let (mut asking, mut sent) = (JoinSet::new(), 0);
        while sent < REQUESTS_OF_ONE && !counts.stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            for _ in 0..each {
                let nth = counts.requests.fetch_add(1, Ordering::Relaxed);
                asking.spawn(ask(client.clone(), mix.nth(nth, &counts), Arc::clone(&counts)));
                sent += 1;
            }
            while asking.try_join_next().is_some() {}
        }
        while asking.join_next().await.is_some() {}
    }
}

async fn ask(mut client: Client, asked: Asked, counts: Arc<Counts>) {
    let done = match asked {
        Asked::Hastily(frame) => client.ask_and_reset(frame).await,
        Asked::Fully(frame, question) => match client.ask(frame, &question).await {
            Ok(answer) => question.judge(answer.get(5..).unwrap_or_default()),
            Err(error) => Err(error),
        },
    };
    if let Err(error) = done {
        missed(&counts, &error);
    }
}

fn missed(counts: &Counts, error: &Failure) {
    // The first few tell what is wrong.
    if counts.wrong.fetch_add(1, Ordering::Relaxed) < 10 {
        say(format_args!("{error}"));
    }
}

impl Mix {
    fn new(protocol: Protocol, issuer: &Arc<Issuer>) -> Self {
        let forged: String = issuer.token.chars().rev().skip(4).collect::<String>().chars().rev().collect();
        Self {
            known: Question::one(protocol, &issuer.token),
            refused: Question::one(protocol, &format!("{forged}AAAA")).refused(401),
            issuer: Arc::clone(issuer),
        }
    }

    /// Of a hundred: 75 by a known caller, 10 by a new one, 10 with a forged token, 5 that are reset.
    fn nth(&self, nth: u64, counts: &Counts) -> Asked {
        let known = || ((self.known.nth)(0), self.known.clone());
        let (frame, question) = match nth % HUNDRED {
            0..75 => known(),
            75..85 => {
                counts.new_callers.fetch_add(1, Ordering::Relaxed);
                let token = self.issuer.token_of(nth).unwrap_or_default();
                (self.known.protocol.ask(&token, CLUSTER), self.known.clone())
            }
            85..95 => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                ((self.refused.nth)(0), self.refused.clone())
            }
            _ => {
                counts.reset.fetch_add(1, Ordering::Relaxed);
                return Asked::Hastily(known().0);
            }
        };
        Asked::Fully(frame, question)
    }
}
