//! Accepts connections and deals them out. Nothing that a peer does ends this loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::drain::Drain;
use super::listen::Bound;
use super::peers::{PeerAddress, Peers};
use super::tls::Tls;
use super::worker::{Connection, Socket, Workers};

/// Accepts on `bound` until the drain begins. A connection for which `peers` has no place is closed at once: it waits for
/// nobody, and nobody waits behind it.
pub async fn accept(
    bound: Bound,
    tls: Option<Arc<Tls>>,
    workers: Arc<Workers>,
    peers: Arc<Peers>,
    mut drain: Drain,
) {
    let mut pause = Duration::ZERO;
    loop {
        let next = async {
            tokio::time::sleep(pause).await;
            match &bound {
                Bound::Tcp(listener) => {
                    let (socket, from) = listener.accept().await?;
                    Ok((Socket::Tcp(socket.into_std()?), from.into()))
                }
                Bound::Unix(listener, _) => {
                    let (socket, _) = listener.accept().await?;
                    Ok((Socket::Unix(socket.into_std()?), PeerAddress::Unix))
                }
            }
        };
        let next = tokio::select! {
            next = next => next,
            () = drain.begins() => return,
        };
        match next {
            Ok((socket, peer)) => {
                pause = Duration::ZERO;
                let Some(place) = peers.admit(peer) else { continue };
                let tls = match socket {
                    Socket::Tcp(_) => tls.clone(),
                    // Who may open a Unix socket is the file system's to say.
                    Socket::Unix(_) => None,
                };
                workers.deal(Connection { socket, tls, drain: drain.clone(), place });
            }
            Err(error) => pause = pause_after(&error),
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
