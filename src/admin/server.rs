//! `/healthz`, `/readyz` and `/metrics` on `admin.listen`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

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

/// Serves until the future is dropped.
///
/// # Errors
/// Only if the listener itself breaks.
pub async fn serve(listener: TcpListener, standing: Standing, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .with_state(Admin { standing, metrics });
    axum::serve(listener, router).await
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
