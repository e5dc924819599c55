//! Accepts connections and deals them out. Nothing that a peer does ends this loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::drain::Drain;
use super::listen::Bound;
use super::tls::Tls;
use super::worker::{Connection, Socket, Workers};

/// Accepts on `bound` until the drain begins. `places` bounds the connections of all listeners together; whoever comes
/// when there is none waits, one accepted and the rest in the kernel's queue.
pub async fn accept(
    bound: Bound,
    tls: Option<Arc<Tls>>,
    workers: Arc<Workers>,
    places: Arc<Semaphore>,
    mut drain: Drain,
) {
    let mut pause = Duration::ZERO;
    loop {
        let next = async {
            tokio::time::sleep(pause).await;
            let socket = match &bound {
                Bound::Tcp(listener) => {
                    listener.accept().await.and_then(|(socket, _)| socket.into_std()).map(Socket::Tcp)
                }
                Bound::Unix(listener, _) => {
                    listener.accept().await.and_then(|(socket, _)| socket.into_std()).map(Socket::Unix)
                }
            };
            // Only now: a listener to which nobody comes must not hold a place that another one needs.
            (Arc::clone(&places).acquire_owned().await, socket)
        };
        let next = tokio::select! {
            next = next => next,
            () = drain.begins() => return,
        };
        match next {
            (Ok(permit), Ok(socket)) => {
                pause = Duration::ZERO;
                let tls = match socket {
                    Socket::Tcp(_) => tls.clone(),
                    // Who may open a Unix socket is the file system's to say.
                    Socket::Unix(_) => None,
                };
                workers.deal(Connection { socket, tls, drain: drain.clone(), permit });
            }
            (Ok(_), Err(error)) => pause = pause_after(&error),
            // Nobody closes the semaphore.
            (Err(_closed), _) => return,
        }
    }
}

/// A peer that went away costs nothing; out of descriptors (EMFILE) is worth a breath, not the loop (CVE-2024-47609).
fn pause_after(error: &io::Error) -> Duration {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {
            Duration::ZERO
        }
        _ => {
            tracing::warn!(%error, "cannot accept a connection; trying again");
            Duration::from_millis(100)
        }
    }
}
