//! `refresh_policy` and `refresh` of an entry.

use std::time::Duration;

use super::keys::Way;
use crate::cache::{Policy, RefreshPolicy};
use crate::config::limits::{duration, nonzero};
use crate::config::place::At;
use crate::config::raw;

/// A longer margin than any token of the field lives.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Reads when a token is renewed. None is told.
pub(super) fn policy(raw: &raw::Provider, way: Option<Way>, at: &At<'_>) -> Option<Policy> {
    if way == Some(Way::ApiKey) {
        tell_without_effect(raw, at);
    }
    let refresh = match raw.refresh_policy {
        None | Some(raw::RefreshPolicy::PreExpiry) => RefreshPolicy::PreExpiry,
        Some(raw::RefreshPolicy::Lazy) => RefreshPolicy::Lazy,
        Some(raw::RefreshPolicy::Proactive) => RefreshPolicy::Proactive,
    };
    let at = at.key("refresh").key("margin");
    let margin = match raw.refresh.as_ref().and_then(|refresh| refresh.margin.as_ref()) {
        Some(text) => duration(text, &at).filter(|margin| nonzero(*margin, &at))?,
        None => return Some(Policy { refresh, ..Policy::default() }),
    };
    match (way, refresh) {
        // That is told of the whole section.
        (Some(Way::ApiKey), _) => {}
        (_, RefreshPolicy::Lazy) => {
            at.warning("has no effect: a lazy token is renewed when somebody asks for one", None);
        }
        _ if margin > DAY => at.warning(
            "is longer than a day: a token is never renewed before half of its life, whatever the margin",
            None,
        ),
        _ => {}
    }
    Some(Policy { refresh, margin })
}

/// What a static key has no use for.
fn tell_without_effect(raw: &raw::Provider, at: &At<'_>) {
    let keys = [("refresh_policy", raw.refresh_policy.is_some()), ("refresh", raw.refresh.is_some())];
    for (key, _) in keys.iter().filter(|(_, present)| *present) {
        at.key(key).warning("has no effect: a static key has nothing to refresh", None);
    }
}
