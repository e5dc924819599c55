//! What operators see: log lines, metrics, and a process that leaves no secret in a core dump or a panic message.

mod escape;
mod exposition;
mod hardening;
mod histogram;
mod labels;
mod log;
mod metrics;
mod throttle;
mod tokens;

pub use hardening::{HardeningError, harden, install_panic_hook};
pub use labels::{ConnectionLimit, Counted, Labels, RefreshResult, ReloadResult, Service, UpstreamStatus};
pub use log::{LogFormat, init, lines, may_have_colour};
pub use metrics::{ActiveWait, Metrics, RequestMetrics};
pub use throttle::Throttle;
pub use tokens::TokenMetrics;

/// The content type of [`Metrics::render`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
