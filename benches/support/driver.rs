//! One Envoy worker: a few HTTP/2 connections, many streams at once, a stream for each request, reset once the answer
//! is there. Sends bytes that were encoded beforehand, so that the client does not take the core that the server needs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::Reason;
use h2::client::{Builder, SendRequest};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::question::{Protocol, Question};
use super::{Failure, window};

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// On loopback.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

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

/// A connection, and the request's head.
#[derive(Clone)]
pub(crate) struct Client {
    sender: SendRequest<Bytes>,
    head: http::Request<()>,
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

/// The kernel's timer: tokio's own counts in milliseconds, in which many requests would come due at once.
struct Ticks(AsyncFd<rustix::fd::OwnedFd>);

impl Ticks {
    fn every(period: Duration) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let period = Timespec {
            tv_sec: i64::try_from(period.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(period.subsec_nanos().max(1_000)),
        };
        let period = Itimerspec { it_interval: period, it_value: period };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &period)?;
        #[allow(deprecated, reason = "its successor is unsafe, and asks only for what an OwnedFd is")]
        let timer = AsyncFd::new(timer)?;
        Ok(Self(timer))
    }

    async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.0.readable().await?;
            let read = guard.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0_u8; 8])?));
            if let Ok(read) = read {
                return read.map(drop);
            }
        }
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) async fn connect(address: &Address, protocol: Protocol) -> Result<Self, Failure> {
        let head = http::Request::post(format!("http://bouncer{}", protocol.path()))
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .header("x-envoy-internal", "true")
            .header("x-forwarded-for", "10.1.2.3")
            .body(())?;
        let sender = match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                handshake(stream).await?
            }
            Address::Unix(path) => handshake(UnixStream::connect(path).await?).await?,
        };
        Ok(Self { sender, head })
    }

    /// One request.
    ///
    /// # Returns
    /// The frame of the one message in the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn ask(&mut self, frame: Bytes, question: &Question) -> Result<Bytes, Failure> {
        let ends = question.protocol == Protocol::ExtAuthz;
        self.ready().await?;
        let (response, mut stream) = self.sender.send_request(self.head.clone(), false)?;
        stream.send_data(frame, ends)?;
        let response = response.await?;
        if response.status() != http::StatusCode::OK || response.headers().contains_key("grpc-status") {
            return Err(format!("refused: {} {:?}", response.status(), response.headers()).into());
        }
        let mut body = response.into_body();
        let answer = message(&mut body).await?;
        if ends {
            let trailers = body.trailers().await?.unwrap_or_default();
            return match trailers.get("grpc-status").map(http::HeaderValue::as_bytes) {
                Some(b"0") => Ok(answer),
                _ => Err(format!("not OK: {trailers:?}").into()),
            };
        }
        if let Some(response) = &question.response {
            // A server that has ended the stream refused the request: that is what to tell.
            if let Err(error) = stream.send_data(response.clone(), false) {
                question.judge(answer.get(5..).unwrap_or_default())?;
                return Err(error.into());
            }
            // That it is answered is enough: there is nothing to change.
            message(&mut body).await?;
        }
        // Envoy's own reason when it has no more use for a stream.
        stream.send_reset(Reason::NO_ERROR);
        Ok(answer)
    }

    /// Asks and goes away before there is an answer.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn ask_and_reset(&mut self, frame: Bytes) -> Result<(), Failure> {
        self.ready().await?;
        let (_response, mut stream) = self.sender.send_request(self.head.clone(), false)?;
        stream.send_data(frame, false)?;
        // Only now on its way: a stream that is reset before was never there.
        tokio::task::yield_now().await;
        stream.send_reset(Reason::CANCEL);
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        std::future::poll_fn(|context| self.sender.poll_ready(context)).await?;
        Ok(())
    }
}

/// The next frame.
async fn message(body: &mut h2::RecvStream) -> Result<Bytes, Failure> {
    let mut answer = Bytes::new();
    while !is_whole(&answer) {
        let Some(part) = body.data().await else {
            return Err(format!("the stream ended without an answer: {:?}", body.trailers().await).into());
        };
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        answer = if answer.is_empty() { part } else { join(&answer, &part) };
    }
    Ok(answer)
}

/// Whether the frame's length is there.
fn is_whole(frame: &[u8]) -> bool {
    match frame {
        [_, a, b, c, d, message @ ..] => message.len() >= u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => false,
    }
}

fn join(start: &[u8], end: &[u8]) -> Bytes {
    let mut all = BytesMut::from(start);
    all.extend_from_slice(end);
    all.freeze()
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Bytes>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // What a server still sends on a stream that was reset is nothing to be alarmed at.
    let mut builder = Builder::new();
    builder.max_local_error_reset_streams(None);
    // With h2's own, a few hundred small answers that come at once are taken for an attack.
    builder.initial_window_size(window::STREAM).initial_connection_window_size(window::CONNECTION);
    let (client, connection) = builder.handshake(stream).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Address {
    /// From the log line of a server: `127.0.0.1:9002` or `unix:/run/bouncer.sock`.
    ///
    /// # Errors
    /// `InvalidData` for anything else.
    pub(crate) fn parse(text: &str) -> io::Result<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                text.parse().map(Self::Tcp).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// `tcp` or `unix`.
    #[must_use]
    pub(crate) fn transport(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Unix(_) => "unix",
        }
    }
}
