//! Closed and open loops of one Envoy worker: a few HTTP/2 connections, many streams at once. Sends bytes that were encoded
//! beforehand, so that the client does not take the core that the server needs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Failure;
use super::client::{Address, Client};
use super::question::Question;
use super::ticks::Ticks;

/// How much of it at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests in all.
    pub(crate) requests: usize,
    /// HTTP/2 connections (Envoy: one a worker).
    pub(crate) connections: usize,
    /// Concurrent streams in all; each sends the next request when it has its answer.
    pub(crate) streams: usize,
}

/// The last answer that was right. The same bytes are the same answer, and what differs is decoded and judged anew: so each one
/// counts, and the client does not become the slow one.
#[derive(Default)]
struct Judged(Bytes);

impl Judged {
    fn judge(&mut self, question: &Question, answer: Bytes) -> Result<(), Failure> {
        if answer != self.0 {
            question.judge(answer.get(5..).unwrap_or_default())?;
            self.0 = answer;
        }
        Ok(())
    }
}

/// Closed loop: sends `question` as often as `load` says, the next on a stream when it has its answer, and checks every one.
///
/// # Returns
/// The time of each request, in no order.
///
/// # Errors
/// At the first answer that is wrong or missing.
pub(crate) async fn drive(
    address: &Address,
    question: &Question,
    load: Load,
) -> Result<Vec<Duration>, Failure> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for connection in 0..load.connections {
        let client = Client::connect(address, question.protocol).await?;
        let streams =
            load.streams / load.connections + usize::from(connection < load.streams % load.connections);
        for _ in 0..streams {
            workers.spawn(work(client.clone(), question.clone(), Arc::clone(&begun), load.requests));
        }
    }
    let mut times = Vec::with_capacity(load.requests);
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    Ok(times)
}

async fn work(
    mut client: Client,
    question: Question,
    begun: Arc<AtomicUsize>,
    requests: usize,
) -> Result<Vec<Duration>, Failure> {
    let (mut times, mut judged) = (Vec::new(), Judged::default());
    loop {
        let nth = begun.fetch_add(1, Ordering::Relaxed);
        if nth >= requests {
            return Ok(times);
        }
        let frame = (question.nth)(nth);
        let start = Instant::now();
        let answer = client.ask(frame, &question).await?;
        times.push(start.elapsed());
        judged.judge(&question, answer)?;
    }
}

/// Open loop: `rate` requests a second, whatever the server does. Times count from when a request was due, so that one that
/// had to wait for those before it is as slow as it was for its caller (no coordinated omission).
///
/// # Returns
/// The time of each request, in no order.
///
/// # Errors
/// At the first answer that is wrong or missing.
pub(crate) async fn pace(
    address: &Address,
    question: &Question,
    load: Load,
    rate: f64,
) -> Result<Vec<Duration>, Failure> {
    let mut clients = Vec::new();
    for _ in 0..load.connections {
        clients.push(Client::connect(address, question.protocol).await?);
    }
    let streams = Arc::new(Semaphore::new(load.streams));
    let times = Vec::with_capacity(load.requests);
    let answered = Arc::new(Mutex::new((times, Judged::default())));
    let mut ticks = Ticks::every(Duration::from_secs_f64(1.0 / rate))?;
    let mut asked = JoinSet::new();
    let (start, mut sent) = (Instant::now(), 0);
    while sent < load.requests {
        ticks.next().await?;
        // Not one a tick: a tick that comes late stands for several.
        while sent < load.requests {
            let due = start + Duration::from_secs_f64(sent as f64 / rate);
            if due > Instant::now() {
                break;
            }
            let Some(client) = clients.get(sent % clients.len()).cloned() else { break };
            asked.spawn(once(
                client,
                question.clone(),
                sent,
                due,
                Arc::clone(&streams),
                Arc::clone(&answered),
            ));
            sent += 1;
        }
        while let Some(one) = asked.try_join_next() {
            one??;
        }
    }
    while let Some(one) = asked.join_next().await {
        one??;
    }
    let (times, _) = &mut *answered.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(times))
}

async fn once(
    mut client: Client,
    question: Question,
    nth: usize,
    due: Instant,
    streams: Arc<Semaphore>,
    answered: Arc<Mutex<(Vec<Duration>, Judged)>>,
) -> Result<(), Failure> {
    let _stream = streams.acquire().await?;
    let answer = client.ask((question.nth)(nth), &question).await?;
    let took = due.elapsed();
    let (times, judged) = &mut *answered.lock().unwrap_or_else(PoisonError::into_inner);
    times.push(took);
    judged.judge(&question, answer)
}
