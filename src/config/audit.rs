//! The section `audit`.

use super::place::At;
use super::raw::{self, Items};
use crate::audit::{AuditSettings, SinkSettings};

/// Reads `audit`. What is wrong is told and left out.
pub(super) fn audit(raw: &raw::Audit, at: &At<'_>) -> AuditSettings {
    let sinks_at = at.key("sinks");
    let mut sinks = Vec::new();
    for (index, raw) in raw.sinks.iter().flat_map(Items::iter) {
        let at = sinks_at.index(index);
        let Some(sink) = sink(raw, &at) else { continue };
        if sinks.contains(&sink) {
            at.fault_at_key("is the same sink as another one", "each sink once".to_owned());
        }
        sinks.push(sink);
    }
    let fingerprint_key = raw.fingerprint_key.as_deref().and_then(|text| {
        let fits = is_secret_name(text);
        if !fits {
            // The text is never repeated: it could be the key itself.
            let allowed = "the name of a secret in the store: a-z, 0-9, - and .";
            at.key("fingerprint_key").fault("is not the name of a secret", allowed.to_owned());
        }
        fits.then(|| text.to_owned())
    });
    AuditSettings { sinks, fingerprint_key }
}

fn sink(raw: &raw::Sink, at: &At<'_>) -> Option<SinkSettings> {
    let path_at = at.key("path");
    match (raw.r#type?, &raw.path) {
        (raw::SinkType::File, Some(path)) => Some(SinkSettings::File(at.relative(path))),
        (raw::SinkType::File, None) => {
            if !path_at.was_skipped() {
                path_at.fault("is missing", "the file to which lines are appended".to_owned());
            }
            None
        }
        (raw::SinkType::Stdout, None) => Some(SinkSettings::Stdout),
        (raw::SinkType::Stdout, Some(_)) => {
            path_at.fault_at_key("means nothing to type stdout", "only with type file".to_owned());
            None
        }
    }
}

fn is_secret_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.len() <= 253
        && text.bytes().all(plain)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
