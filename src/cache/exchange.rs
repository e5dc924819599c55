//! One exchange: who makes it, what it brings, and who is told of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Held, Provenance, Retry};
use crate::base::{Expiry, Fingerprint};

/// Where values come from.
pub trait Source<V, E>: Send + Sync {
    /// Obtains a value now.
    fn obtain(&self) -> Obtaining<'_, V, E>;
}

/// A value on its way.
pub type Obtaining<'a, V, E> = Pin<Box<dyn Future<Output = Result<Obtained<V>, E>> + Send + 'a>>;

/// What a source brought.
#[derive(Debug)]
pub struct Obtained<V> {
    /// The value.
    pub value: V,
    /// Tells it from others.
    pub id: Fingerprint,
    /// Its end; none for what has no end, and is obtained once.
    pub expiry: Option<Expiry>,
    /// When the source itself would renew it, counted from now.
    pub refresh_in: Option<Duration>,
    /// Where it comes from, for records.
    pub provenance: Option<Arc<Provenance>>,
}

/// Why a source brought nothing.
pub trait Failure: Clone + Send + Sync + 'static {
    /// Whether another attempt can help.
    fn retry(&self) -> Retry;
    /// The exchange took too long.
    fn timeout() -> Self;
    /// The exchange itself broke: a bug.
    fn broken() -> Self;
    /// What was brought has ended already.
    fn over() -> Self;
}

/// Why a value was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the audit record's")]
pub enum Reason {
    FirstUse,
    PreExpiry,
    Proactive,
    Lazy,
    SecretChanged,
    UpstreamRejected,
    Manual,
}

/// A failure that is the answer to everybody until the next attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback<E> {
    /// What went wrong.
    pub error: E,
    /// When the next attempt is allowed.
    pub next: Instant,
}

/// What a demand ends with: the handle has a value now, or why not.
pub type Outcome<E> = Result<(), Setback<E>>;

/// How somebody takes part in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is made for them.
    Lead,
    /// It is under way already.
    Follow,
}

/// One exchange that ended, for records and counters.
#[derive(Debug)]
pub struct Exchange<'a, V> {
    /// Why it was made.
    pub reason: Reason,
    /// How long it took.
    pub took: Duration,
    /// What was held before.
    pub before: Option<&'a Held<V>>,
}

/// Is told of every exchange, before anybody gets its value.
pub trait Observer<V, E>: Send + Sync {
    /// A value came. It is the same as before where the ids are.
    fn renewed(&self, exchange: &Exchange<'_, V>, now: &Held<V>);
    /// None came; `attempt` counts those in a row.
    fn failed(&self, exchange: &Exchange<'_, V>, error: &E, attempt: u32, next_in: Duration);
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::FirstUse,
        Self::PreExpiry,
        Self::Proactive,
        Self::Lazy,
        Self::SecretChanged,
        Self::UpstreamRejected,
        Self::Manual,
    ];

    /// Its name in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstUse => "first_use",
            Self::PreExpiry => "pre_expiry",
            Self::Proactive => "proactive",
            Self::Lazy => "lazy",
            Self::SecretChanged => "secret_changed",
            Self::UpstreamRejected => "upstream_rejected",
            Self::Manual => "manual",
        }
    }
}
