//! Callers that ask again and again, on connections that they keep: until they are told to stop, or at a steady rate.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Connection, PATIENCE, Process, Request, World};

/// Running callers.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Result<u16, String>>>>,
}

/// h2load, at a rate that leaves the machine to others.
pub(crate) struct SteadyLoad {
    process: Process,
    requests: u64,
    patience: Duration,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answers: AtomicUsize,
    /// Of each caller, after each answer.
    pause: Duration,
}

impl Load {
    /// `callers` of them, each sending `request`.
    pub(crate) fn start(address: SocketAddr, request: &Request, callers: usize) -> Self {
        Self::with_pauses(address, request, callers, Duration::ZERO)
    }

    /// The same at a rate that leaves the machine to others.
    pub(crate) fn start_gently(address: SocketAddr, request: &Request, callers: usize) -> Self {
        Self::with_pauses(address, request, callers, Duration::from_millis(20))
    }

    fn with_pauses(address: SocketAddr, request: &Request, callers: usize, pause: Duration) -> Self {
        let shared = Arc::new(Shared { pause, ..Shared::default() });
        let threads = (0..callers).map(|_| {
            let (shared, request) = (Arc::clone(&shared), request.clone());
            thread::spawn(move || call(address, &request, &shared))
        });
        Self { threads: threads.collect(), shared }
    }

    /// How many answers there are so far.
    pub(crate) fn answers(&self) -> usize {
        self.shared.answers.load(Ordering::SeqCst)
    }

    /// Waits for this many more answers.
    pub(crate) fn wait_for(&self, more: usize) {
        let until = self.answers() + more;
        while self.answers() < until {
            thread::yield_now();
            assert!(!self.threads.iter().all(JoinHandle::is_finished), "nobody calls any more");
        }
    }

    /// Every status that came, and every connection that ended without one.
    pub(crate) fn stop(self) -> Vec<Result<u16, String>> {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

impl SteadyLoad {
    /// `rate` requests a second to a service, for `seconds`.
    pub(crate) fn start(address: SocketAddr, llm: &str, token: &str, rate: u64, seconds: u64) -> Self {
        const CLIENTS: u64 = 2;
        let requests = rate * seconds;
        let mut command = Command::new("h2load");
        command
            .arg(format!("--requests={requests}"))
            .arg(format!("--clients={CLIENTS}"))
            .arg(format!("--rps={}", rate / CLIENTS))
            .args(["--max-concurrent-streams=8", "--header"])
            .arg(format!("authorization: Bearer {token}"))
            .arg("--header")
            .arg(format!(":authority: {}", World::domain(llm)))
            .arg(format!("http://{address}/v1/chat/completions"));
        let process = Process::start("h2load", &mut command);
        Self { process, requests, patience: Duration::from_secs(seconds) + PATIENCE * 3 }
    }

    /// Whether it still asks.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.process.alive()
    }

    /// Waits for its end: every request was answered, and well.
    #[track_caller]
    pub(crate) fn lost_nothing(mut self) {
        assert!(self.process.wait_at_most(self.patience).success());
        let (report, requests) = (self.process.text(), self.requests);
        assert!(
            report.contains(&format!("{requests} succeeded, 0 failed, 0 errored, 0 timeout")),
            "{report}"
        );
        assert!(report.contains(&format!("{requests} 2xx, 0 3xx, 0 4xx, 0 5xx")), "{report}");
    }
}

fn call(address: SocketAddr, request: &Request, shared: &Shared) -> Vec<Result<u16, String>> {
    let mut outcomes = Vec::new();
    let mut connection = None;
    while !shared.stop.load(Ordering::SeqCst) {
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(address),
        };
        let outcome = open.and_then(|mut open| open.send(request).map(|answer| (open, answer.status)));
        outcomes.push(match outcome {
            Ok((open, status)) => {
                connection = Some(open);
                Ok(status)
            }
            Err(error) => Err(error.to_string()),
        });
        shared.answers.fetch_add(1, Ordering::SeqCst);
        if !shared.pause.is_zero() {
            thread::park_timeout(shared.pause);
        }
    }
    outcomes
}
