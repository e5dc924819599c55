//! The section `limits`, and durations and sizes on the way to valid numbers.

use std::time::Duration;

use super::place::At;
use super::quantity;
use super::raw::{self, DurationText, SizeText};
use super::settings::Limits;

/// More than that in one message is nobody's prompt, and a sum of two still fits everywhere.
const LARGEST: usize = 1 << 30;

/// Reads `limits`. What is wrong is told and keeps its default.
pub(super) fn limits(raw: Option<&raw::Limits>, at: &At<'_>) -> Limits {
    let default = Limits::default();
    let Some(raw) = raw else { return default };
    let size = |raw: &Option<SizeText>, name, default| size_or(raw.as_ref(), &at.key(name), default);
    let wait = |raw: &Option<DurationText>, name, default| {
        let at = at.key(name);
        duration_or(raw.as_ref(), &at, default).filter(|duration| nonzero(*duration, &at)).unwrap_or(default)
    };
    let count =
        |raw: Option<u32>, default| raw.and_then(|count| usize::try_from(count).ok()).unwrap_or(default);
    Limits {
        max_body: size(&raw.max_body, "max_body", default.max_body),
        max_token: size(&raw.max_token, "max_token", default.max_token),
        max_headers: size(&raw.max_headers, "max_headers", default.max_headers),
        max_streams: raw.max_streams.unwrap_or(default.max_streams),
        max_connections: count(raw.max_connections, default.max_connections),
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

fn size_or(raw: Option<&SizeText>, at: &At<'_>, default: usize) -> usize {
    let Some(SizeText(text)) = raw else { return default };
    match quantity::size(text) {
        None => at.fault("is not a size", quantity::SIZE.to_owned()),
        Some(0) => at.fault("is zero", "more than that".to_owned()),
        Some(size) if size > LARGEST => at.fault("is too large", "at most 1GiB".to_owned()),
        Some(size) => return size,
    }
    default
}
