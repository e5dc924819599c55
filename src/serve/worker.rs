//! One thread and one current_thread runtime a core. A connection lives and dies on the worker that it was dealt to.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};

use super::drain::Drain;
use super::peers::Admitted;
use super::preface::Begun;
use super::services::{LocalServices, Services};
use super::tls::{Peer, Tls};
use super::write_timeout::WriteTimeout;
use crate::base::count_as_worker;
use crate::config::Limits;
use crate::envoy::Local;

/// A TLS handshake, or the first bytes of HTTP/2, that take longer are nobody's. A refused peer stays no longer either.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A peer that takes nothing of what it was sent for so long is left.
const UNREAD: Duration = Duration::from_secs(80);

/// The threads that serve.
#[derive(Debug)]
pub struct Workers {
    workers: Box<[Worker]>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Worker {
    inbox: mpsc::UnboundedSender<Connection>,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// An accepted socket, not yet on any runtime.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) drain: Drain,
    /// Its place among `limits.max_connections`, and among those of its peer.
    pub(super) place: Admitted,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A worker could not be started.
#[derive(Debug, Error)]
#[error("cannot start a worker thread: {0}")]
pub struct WorkersError(#[from] io::Error);

/// One on the count of a worker's connections, for as long as it lives.
struct Counted(Arc<AtomicUsize>);

/// Spawns hyper's stream tasks on the worker's own thread.
#[derive(Clone)]
struct OnThisThread(Local);

impl Workers {
    /// Starts `count` workers.
    ///
    /// # Errors
    /// [`WorkersError`] when the machine gives no thread or no poll descriptor.
    pub fn start(count: usize, services: &Services, limits: &Limits) -> Result<Self, WorkersError> {
        let (stop, stopped) = watch::channel(false);
        let workers =
            (0..count.max(1)).map(|index| Worker::start(index, services.clone(), limits, stopped.clone()));
        Ok(Self { workers: workers.collect::<io::Result<_>>()?, stop })
    }

    /// Gives the connection to the worker with the fewest: Envoy opens few and keeps them, so chance would leave cores idle.
    pub(super) fn deal(&self, connection: Connection) {
        let fewest = self.workers.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let Some(worker) = fewest else { return };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        if worker.inbox.send(connection).is_err() {
            tracing::error!("a worker is gone; the connection is closed");
        }
    }

    /// Ends the workers at once. What is in flight is cut off, which Envoy reads as an error and never as a yes.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        for worker in &mut self.workers {
            if worker.thread.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a worker ended with a panic");
            }
        }
    }
}

impl Worker {
    fn start(
        index: usize,
        services: Services,
        limits: &Limits,
        mut stopped: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let (inbox, mut connections) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        let (counter, limits) = (Arc::clone(&count), limits.clone());
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            // Made here: it belongs to this thread, and so do all its tasks.
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(())));
            count_as_worker(index);
            let services = Rc::new(services.local());
            let serve = async {
                while let Some(connection) = connections.recv().await {
                    let counted = Counted(Arc::clone(&counter));
                    tokio::task::spawn_local(serve(
                        connection,
                        Rc::clone(&services),
                        limits.clone(),
                        counted,
                    ));
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    () = serve => {}
                    () = services.current().keep_time() => {}
                    // An error means that the server itself is gone.
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
            });
        })?;
        start.recv().map_err(io::Error::other)??;
        Ok(Self { inbox, connections: count, thread: Some(thread) })
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

async fn serve(connection: Connection, services: Rc<LocalServices>, limits: Limits, counted: Counted) {
    let Connection { socket, tls, drain, place } = connection;
    let served = match socket {
        Socket::Tcp(socket) => tcp(socket, tls, services, &limits, drain).await,
        Socket::Unix(socket) => unix(socket, services, &limits, drain).await,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
    drop((place, counted));
}

async fn tcp(
    socket: std::net::TcpStream,
    tls: Option<Arc<Tls>>,
    services: Rc<LocalServices>,
    limits: &Limits,
    mut drain: Drain,
) -> io::Result<()> {
    let socket = tokio::net::TcpStream::from_std(socket)?;
    // Without it the p99 of small answers triples.
    socket.set_nodelay(true)?;
    keep_alive(&socket)?;
    let Some(tls) = tls else { return http2(socket, Peer::Allowed, services, limits, drain).await };
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.config());
    let stream = tokio::select! {
        accepted = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)) => accepted??,
        () = drain.begins() => return Ok(()),
    };
    let peer = tls.peer(stream.get_ref().1);
    if peer == Peer::Refused {
        tracing::warn!(
            "a peer's certificate is good but not in listen.tls.allowed_peers; its calls are refused"
        );
        // Long enough to be told so, and not longer: it would keep a place that Envoy needs.
        return tokio::time::timeout(HANDSHAKE, http2(stream, peer, services, limits, drain)).await?;
    }
    http2(stream, peer, services, limits, drain).await
}

/// A peer whose machine is gone, or that reads nothing of what it was sent, leaves its place after 80 s. The kernel sees to that,
/// and not HTTP/2 with a PING: hyper would take the time of every frame for it.
fn keep_alive(socket: &tokio::net::TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(socket, 4)?;
    // Nothing is asked while something is not acknowledged; that has its own end.
    sockopt::set_tcp_user_timeout(socket, u32::try_from(UNREAD.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

async fn unix(
    socket: std::os::unix::net::UnixStream,
    services: Rc<LocalServices>,
    limits: &Limits,
    drain: Drain,
) -> io::Result<()> {
    // The kernel ends only TCP.
    let socket = WriteTimeout::new(tokio::net::UnixStream::from_std(socket)?, UNREAD);
    http2(socket, Peer::Allowed, services, limits, drain).await
}

async fn http2<I>(
    io: I,
    peer: Peer,
    services: Rc<LocalServices>,
    limits: &Limits,
    mut drain: Drain,
) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let io = tokio::select! {
        begun = Begun::read(io, HANDSHAKE) => begun?,
        () = drain.begins() => return Ok(()),
    };
    let executor = OnThisThread(services.current().clone());
    let service = service_fn(move |request| services.call(peer, request));
    let connection = http2::Builder::new(executor)
        .timer(TokioTimer::new())
        // hyper's own default of 200 would queue an Envoy worker's requests behind each other.
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(u32::try_from(limits.max_headers).unwrap_or(u32::MAX))
        // Rapid reset (RUSTSEC-2024-0003): a peer that resets faster than we answer is cut off.
        .max_pending_accept_reset_streams(Some(RESETS))
        .max_local_error_reset_streams(Some(RESETS))
        // A wide connection window: h2 counts small DATA frames against it. And 128 streams of it fill one: those that wait for
        // room are not read, and must not keep those that have it from finishing.
        .initial_connection_window_size(Some(16 << 20))
        .initial_stream_window_size(Some(128 << 10))
        .max_send_buf_size(64 << 10)
        // Nobody looks at the date of an answer to Envoy.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = drain.begins() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(io::Error::other)
}

/// Streams that may be reset before they were looked at. Envoy resets every stream, but only after its answer.
const RESETS: usize = 1_024;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, task: F) {
        if self.0.take_begun() {
            tokio::task::spawn_local(self.0.clone().bounded(task));
        } else {
            tokio::task::spawn_local(task);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
