//! Runs the gRPC services: one current_thread runtime a core, one acceptor that deals connections out, a drain at the end.

mod accept;
mod drain;
mod listen;
mod peers;
mod preface;
mod services;
mod tls;
mod worker;
mod write_timeout;

pub use accept::accept;
pub use drain::{Drain, Drained, drain};
pub use listen::{Address, Bound, ListenError, bind};
pub use peers::Peers;
pub use services::{Health, Services};
pub use tls::{Peer, Tls, TlsError};
pub use worker::{Workers, WorkersError};
