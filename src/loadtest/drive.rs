//! One generator: a thread with its own runtime, some connections, and streams that ask one request after the other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::alarm::Alarm;
use super::ask::ask;
use super::check::{Judge, Judgement};
use super::connect::{ConnectError, Dial, Dialer};
use super::pacer::{Pacer, Part};
use super::plan::{Pace, Plan};
use super::question::Questions;
use super::record::{Outcome, Recorder, Sample};

/// What one generator measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) recorder: Recorder,
    /// From the start of the measurement to its end.
    pub(super) elapsed: Duration,
}

/// What one generator needs.
pub(super) struct Generator {
    pub(super) plan: Plan,
    pub(super) part: Part,
    pub(super) questions: Arc<Questions>,
    pub(super) recorder: Recorder,
    /// That its connections stand.
    pub(super) ready: oneshot::Sender<Result<(), ConnectError>>,
    /// When to begin.
    pub(super) begin: oneshot::Receiver<Instant>,
    /// True: it is enough.
    pub(super) stop: watch::Receiver<bool>,
}

/// What the streams of a generator share.
struct Shared {
    pacer: Pacer,
    questions: Arc<Questions>,
    part: Part,
    judge: RefCell<Judge>,
    recorder: RefCell<Recorder>,
    patience: Duration,
}

/// A connection that is opened again when it breaks.
pub(super) struct Connection {
    dial: Dial,
    client: RefCell<Option<SendRequest<Bytes>>>,
    /// Counts those that were opened.
    generation: Cell<u64>,
    dialing: Mutex<()>,
    failed: RefCell<Option<(Instant, String)>>,
}

/// Not more often than this is a connection tried that cannot be opened.
const AGAIN: Duration = Duration::from_millis(100);

impl Generator {
    /// Runs to the end on a runtime of the current thread.
    ///
    /// # Returns
    /// None where there was nothing to begin with.
    pub(super) async fn run(self) -> Option<Measured> {
        let local = LocalSet::new();
        local.run_until(self.measure()).await
    }

    async fn measure(self) -> Option<Measured> {
        let Self { plan, part, questions, recorder, ready, begin, mut stop } = self;
        let dialer = match Dialer::new(&plan.target, plan.patience) {
            Ok(dialer) => dialer,
            Err(error) => {
                let _nobody_waits = ready.send(Err(error));
                return None;
            }
        };
        let mut connections = Vec::new();
        for _ in 0..part.share(plan.connections) {
            match Connection::open(dialer.clone().into()).await {
                Ok(connection) => connections.push(Rc::new(connection)),
                Err(error) => {
                    let _nobody_waits = ready.send(Err(error));
                    return None;
                }
            }
        }
        ready.send(Ok(())).ok()?;
        let start = begin.await.ok()?;
        sleep_until(start).await;
        let over = async move {
            // Without anybody who could say it, it goes on to its end.
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Some(drive(&plan, part, questions, connections, recorder, start, Alarm::new(), over).await)
    }
}

/// Asks until it is enough, or `over` resolves.
#[allow(clippy::too_many_arguments, reason = "the parts of one load")]
pub(super) async fn drive(
    plan: &Plan,
    part: Part,
    questions: Arc<Questions>,
    connections: Vec<Rc<Connection>>,
    recorder: Recorder,
    start: Instant,
    alarm: Alarm,
    over: impl Future<Output = ()>,
) -> Measured {
    let judge = Judge::new(questions.protocol, questions.expectation.clone(), questions.token_header.clone());
    let shared = Rc::new(Shared {
        pacer: Pacer::new(plan, part, start),
        questions,
        part,
        judge: RefCell::new(judge),
        recorder: RefCell::new(recorder),
        patience: plan.patience,
    });
    let mut tasks = tokio::task::JoinSet::new();
    if matches!(plan.pace, Pace::Open { .. }) {
        let shared = Rc::clone(&shared);
        tasks.spawn_local(async move { shared.pacer.release(alarm).await });
    }
    let streams = part.share(plan.streams).max(connections.len());
    for connection in connections.iter().cycle().take(if connections.is_empty() { 0 } else { streams }) {
        tasks.spawn_local(work(Rc::clone(&shared), Rc::clone(connection)));
    }
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        () = over => tasks.shutdown().await,
    }
    let elapsed = shared.pacer.zero().elapsed();
    Measured { recorder: std::mem::take(&mut *shared.recorder.borrow_mut()), elapsed }
}

/// One stream after the other.
async fn work(shared: Rc<Shared>, connection: Rc<Connection>) {
    let mut open = None;
    let callers = shared.questions.callers() as u64;
    let (index, parts) = (shared.part.index as u64, shared.part.of as u64);
    while let Some((number, due)) = shared.pacer.next().await {
        let caller = usize::try_from((number * parts + index) % callers).unwrap_or_default();
        let late = due + shared.patience;
        let timed_out = Judgement { outcome: Outcome::TimedOut, words: None };
        let judgement = if Instant::now() >= late {
            // Its caller has given up before there was a stream for it.
            timed_out
        } else {
            let asked = request(&shared, &connection, &mut open, caller);
            timeout_at(late, asked).await.unwrap_or(timed_out)
        };
        let now = Instant::now();
        if judgement.outcome == Outcome::Broken
            && let Some((_, generation)) = open.take()
        {
            connection.lost(generation);
        }
        let Some(from) = due.checked_duration_since(shared.pacer.zero()) else { continue };
        let took = now.saturating_duration_since(due);
        let sample = Sample { due: from, took, outcome: judgement.outcome };
        match &judgement.words {
            None => shared.recorder.borrow_mut().add(sample),
            Some(words) => shared.recorder.borrow_mut().add_with_reason(sample, words),
        }
    }
}

async fn request(
    shared: &Shared,
    connection: &Connection,
    open: &mut Option<(SendRequest<Bytes>, u64)>,
    caller: usize,
) -> Judgement {
    // A server that closes a connection politely loses nothing: the next stream goes to the next connection.
    for _ in 0..2 {
        let (client, generation) = match open.take() {
            Some(open) => open,
            None => match connection.client().await {
                Ok(open) => open,
                Err(words) => return Judgement { outcome: Outcome::Broken, words: Some(words) },
            },
        };
        match client.ready().await {
            Ok(client) => {
                let (client, _) = open.insert((client, generation));
                return ask(client, &shared.questions, caller, &shared.judge).await;
            }
            Err(_) => connection.lost(generation),
        }
    }
    Judgement { outcome: Outcome::Broken, words: None }
}

impl Connection {
    /// Opens one.
    pub(super) async fn open(dial: Dial) -> Result<Self, ConnectError> {
        let client = dial().await?;
        Ok(Self {
            dial,
            client: RefCell::new(Some(client)),
            generation: Cell::new(0),
            dialing: Mutex::new(()),
            failed: RefCell::new(None),
        })
    }

    /// The connection as it is now, opened again where it is lost; one tries for all.
    async fn client(&self) -> Result<(SendRequest<Bytes>, u64), String> {
        let began = Instant::now();
        let _alone = match self.current() {
            Some(open) => return Ok(open),
            None => self.dialing.lock().await,
        };
        if let Some(open) = self.current() {
            return Ok(open);
        }
        let failed = self.failed.borrow().clone();
        if let Some((at, words)) = failed {
            if at >= began {
                return Err(words);
            }
            sleep_until(at + AGAIN).await;
        }
        match (self.dial)().await {
            Ok(client) => {
                self.generation.set(self.generation.get() + 1);
                *self.client.borrow_mut() = Some(client.clone());
                *self.failed.borrow_mut() = None;
                Ok((client, self.generation.get()))
            }
            Err(error) => {
                let words = error.to_string();
                *self.failed.borrow_mut() = Some((Instant::now(), words.clone()));
                Err(words)
            }
        }
    }

    fn current(&self) -> Option<(SendRequest<Bytes>, u64)> {
        Some((self.client.borrow().clone()?, self.generation.get()))
    }

    /// It broke; a newer one stays.
    fn lost(&self, generation: u64) {
        if self.generation.get() == generation {
            *self.client.borrow_mut() = None;
        }
    }
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
