//! The section `limits`, and durations and sizes on the way to valid numbers.

use std::time::Duration;

use super::place::At;
use super::quantity;
use super::raw::{self, DurationText, SizeText};
use super::settings::Limits;

/// More than that in one message is nobody's prompt, and a sum of two still fits everywhere.
const LARGEST: usize = 1 << 30;
/// More than that is no bound.
const MOST_MEMORY: usize = LARGEST.saturating_mul(64);

/// Reads `limits`. What is wrong is told and keeps its default.
pub(super) fn limits(raw: Option<&raw::Limits>, at: &At<'_>) -> Limits {
    let default = Limits::default();
    let Some(raw) = raw else { return default };
    let size = |raw: &Option<SizeText>, name, default| {
        size_or(raw.as_ref(), LARGEST, &at.key(name), default).unwrap_or(default)
    };
    let wait = |raw: &Option<DurationText>, name, default| {
        let at = at.key(name);
        duration_or(raw.as_ref(), &at, default).filter(|duration| nonzero(*duration, &at)).unwrap_or(default)
    };
    let count =
        |raw: Option<u32>, default| raw.and_then(|count| usize::try_from(count).ok()).unwrap_or(default);
    let (max_body, body_memory) = bodies(raw, &default, at);
    Limits {
        max_body,
        body_memory,
        max_token: size(&raw.max_token, "max_token", default.max_token),
        max_headers: size(&raw.max_headers, "max_headers", default.max_headers),
        max_streams: raw.max_streams.unwrap_or(default.max_streams),
        max_connections: count(raw.max_connections, default.max_connections),
        max_peer_connections: count(raw.max_peer_connections, default.max_peer_connections),
        max_active: count(raw.max_active, default.max_active),
        max_waiting: count(raw.max_waiting, default.max_waiting),
        verified_tokens: count(raw.verified_tokens, default.verified_tokens),
        stream_idle: wait(&raw.stream_idle, "stream_idle", default.stream_idle),
        stream_total: wait(&raw.stream_total, "stream_total", default.stream_total),
        patience: wait(&raw.patience, "patience", default.patience),
    }
}

/// The duration, or the default where there is none. None is told.
pub(super) fn duration_or(raw: Option<&DurationText>, at: &At<'_>, default: Duration) -> Option<Duration> {
    match raw {
        Some(raw) => duration(raw, at),
        None => Some(default),
    }
}

/// The duration. None is told.
pub(super) fn duration(raw: &DurationText, at: &At<'_>) -> Option<Duration> {
    let duration = quantity::duration(&raw.0);
    if duration.is_none() {
        at.fault("is not a duration", quantity::DURATION.to_owned());
    }
    duration
}

/// Whether the duration is more than nothing. False is told.
pub(super) fn nonzero(duration: Duration, at: &At<'_>) -> bool {
    if duration.is_zero() {
        at.fault("is zero", "more than that".to_owned());
    }
    !duration.is_zero()
}

/// The two that bound bodies. One that has no room could never be signed.
fn bodies(raw: &raw::Limits, default: &Limits, at: &At<'_>) -> (usize, usize) {
    let (body_at, memory_at) = (at.key("max_body"), at.key("body_memory"));
    let max_body = size_or(raw.max_body.as_ref(), LARGEST, &body_at, default.max_body);
    let memory = size_or(raw.body_memory.as_ref(), MOST_MEMORY, &memory_at, default.body_memory);
    if let (Some(max_body), Some(memory)) = (max_body, memory)
        && memory < max_body
    {
        let at = if raw.body_memory.is_some() { memory_at } else { body_at };
        let sizes = (quantity::size_text(memory), quantity::size_text(max_body));
        at.fault(
            format!("body_memory is {}, which has no room for one body of max_body, {}", sizes.0, sizes.1),
            "body_memory of at least max_body".to_owned(),
        );
    }
    (max_body.unwrap_or(default.max_body), memory.unwrap_or(default.body_memory))
}

/// The size, or the default where there is none. None is told.
fn size_or(raw: Option<&SizeText>, most: usize, at: &At<'_>, default: usize) -> Option<usize> {
    let Some(SizeText(text)) = raw else { return (!at.was_skipped()).then_some(default) };
    match quantity::size(text) {
        None => at.fault("is not a size", quantity::SIZE.to_owned()),
        Some(0) => at.fault("is zero", "more than that".to_owned()),
        Some(size) if size > most => {
            at.fault("is too large", format!("at most {}", quantity::size_text(most)));
        }
        Some(size) => return Some(size),
    }
    None
}
