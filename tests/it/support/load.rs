//! Callers that ask again and again, on connections that they keep, until they are told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::{Connection, Request};

/// Running callers.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Result<u16, String>>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answers: AtomicUsize,
}

impl Load {
    /// `callers` of them, each sending `request`.
    pub(crate) fn start(address: SocketAddr, request: &Request, callers: usize) -> Self {
        let shared = Arc::new(Shared::default());
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
    }
    outcomes
}
