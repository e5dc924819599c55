//! An address that takes no connections: who connects waits.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::local;

/// A listener whose queue is full, as that of a host that does not answer.
pub(crate) struct Deaf {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let queue = std::iter::from_fn(connect).take(1_000).collect::<Vec<_>>();
        assert!(queue.len() < 1_000, "the queue has no end");
        Self { address, _listener: listener, _queue: queue }
    }
}
