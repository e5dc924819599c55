//! `/healthz`, `/readyz` and `/metrics` on `admin.listen`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tower_service::Service as _;

use crate::telemetry::{METRICS_CONTENT_TYPE, Metrics};

/// How the server stands. Whether it is alive does not depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Why it should get no requests; empty is ready.
    pub reasons: Vec<String>,
    /// What somebody should look at although it serves: a provider without a usable secret, an issuer that is down.
    pub degraded: Vec<String>,
}

/// Says how the server stands, when asked.
pub type Standing = Arc<dyn Fn() -> Readiness + Send + Sync>;

#[derive(Clone)]
struct Admin {
    standing: Standing,
    metrics: Arc<Metrics>,
}

/// So many connections at once. Scrapers and probes need a few.
const MOST: usize = 64;

/// From the first byte of a connection to the last of its only answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Serves until the future is dropped. Probes and scrapes come from everywhere, so anybody can connect: who says nothing
/// must not take the descriptors away that gRPC, key sets and secrets need.
pub async fn serve(listener: TcpListener, standing: Standing, metrics: Arc<Metrics>) {
    let router = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .with_state(Admin { standing, metrics });
    let mut tasks = JoinSet::new();
    let mut open = VecDeque::with_capacity(MOST);
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the admin pages; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        open.retain(|task: &AbortHandle| !task.is_finished());
        // The oldest goes and not the newest: a liveness probe that has to wait for a place would end the process.
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(tasks.spawn(answer(socket, router.clone())));
    }
}

/// One request, one answer.
async fn answer(socket: TcpStream, router: Router) {
    let service = service_fn(move |request| router.clone().call(request));
    let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(socket), service);
    match tokio::time::timeout(DEADLINE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "admin connection ended"),
        Err(_elapsed) => tracing::debug!("admin connection took too long"),
    }
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let readiness = (admin.standing)();
    let mut text = String::new();
    let (status, first) = if readiness.reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let lines = readiness.reasons.iter().map(|line| ("", line));
    let degraded = readiness.degraded.iter().map(|line| ("degraded: ", line));
    let _infallible = writeln!(text, "{first}");
    for (kind, line) in lines.chain(degraded) {
        let _infallible = writeln!(text, "{kind}{line}");
    }
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

async fn metrics_page(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], admin.metrics.render())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::telemetry::Labels;

    async fn start() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new(Labels::default()));
        tokio::spawn(serve(listener, Arc::new(Readiness::default), metrics));
        address
    }

    /// All that comes until the other side ends; none when it does not.
    async fn rest(stream: &mut TcpStream) -> Option<String> {
        let mut text = String::new();
        let read = tokio::time::timeout(2 * DEADLINE, stream.read_to_string(&mut text));
        read.await.ok().map(|_end_or_reset| text)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_or_half_a_request_is_left() {
        let address = start().await;
        for said in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            assert_eq!(rest(&mut stream).await.as_deref(), Some(""), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_probe_is_answered_however_many_others_say_nothing() {
        let address = start().await;
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut probe = TcpStream::connect(address).await.unwrap();
        probe.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(rest(&mut probe).await.unwrap().ends_with("alive\n"));
        // The first of them made room.
        assert_eq!(rest(&mut silent[0]).await.as_deref(), Some(""));
    }
}
