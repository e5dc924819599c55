//! The word that the server is going: connections say GOAWAY, finish what is in flight, and are counted until they end.

use tokio::sync::{mpsc, watch};

/// Held by everything that has to finish. Cheap to clone; the drain is over when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Drain {
    going: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
}

/// The other end: starts the drain and waits for it.
#[derive(Debug)]
pub struct Drained {
    going: watch::Sender<bool>,
    alive: mpsc::Receiver<()>,
}

/// A pair of both.
#[must_use]
pub fn drain() -> (Drained, Drain) {
    let (going, heard) = watch::channel(false);
    let (alive, ended) = mpsc::channel(1);
    (Drained { going, alive: ended }, Drain { going: heard, _alive: alive })
}

impl Drain {
    /// Resolves when the drain begins.
    pub async fn begins(&mut self) {
        // An error means that the other end is gone: nobody is left to serve for.
        let _begun = self.going.wait_for(|going| *going).await;
    }
}

impl Drained {
    /// Begins the drain and resolves when every [`Drain`] is dropped.
    pub async fn complete(mut self) {
        self.going.send_replace(true);
        let _all_gone = self.alive.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_is_over_when_the_last_holder_is_gone() {
        let (drained, drain) = drain();
        let mut second = drain.clone();
        let waiter = tokio::spawn(async move {
            second.begins().await;
            drop(second);
        });
        let over = tokio::spawn(drained.complete());
        waiter.await.unwrap();
        assert!(!over.is_finished());
        drop(drain);
        over.await.unwrap();
    }
}
