//! Events as JSON: the names are promises to whoever reads the record.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::{Event, Id, Subject};
use crate::base::{UnixTime, cut, is_unseen, rfc3339_millis};
use crate::token::Fault;

/// Longer texts are cut here, in bytes.
const LONGEST: usize = 256;

/// No record lists more scopes.
const MOST_SCOPES: usize = 64;

/// What every event has.
pub(super) struct Head<'a> {
    pub(super) id: Id,
    pub(super) millis: u64,
    pub(super) correlation: Id,
    pub(super) bouncer_id: &'a str,
}

#[derive(Serialize)]
struct Record<'a> {
    event: &'static str,
    id: String,
    time: String,
    correlation_id: String,
    bouncer_id: Cow<'a, str>,
    provider: Cow<'a, str>,
    provider_kind: &'static str,
    auth_type: &'static str,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Rotated {
        reason: &'static str,
        old_token_id: Option<String>,
        new_token_id: String,
        old_expires_at: Option<String>,
        new_expires_at: Option<String>,
        scopes: Vec<Cow<'a, str>>,
        source: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'a, str>>,
    },
    RefreshFailed {
        reason: &'static str,
        error: &'static str,
        fault: &'static str,
        attempt: u32,
        next_attempt_at: Option<String>,
        expires_at: Option<String>,
    },
}

/// The event as one line with its end. None if it has no JSON, which would be a bug of ours.
pub(super) fn line(head: &Head<'_>, subject: Subject<'_>, event: &Event<'_>) -> Option<Arc<str>> {
    let time = |time: Option<UnixTime>| time.map(UnixTime::rfc3339);
    let body = match event {
        Event::Rotated(rotated) => Body::Rotated {
            reason: rotated.reason.as_str(),
            old_token_id: rotated.old.map(|id| id.to_string()),
            new_token_id: rotated.new.to_string(),
            old_expires_at: time(rotated.old_expires_at),
            new_expires_at: time(rotated.new_expires_at),
            scopes: rotated.scopes.iter().take(MOST_SCOPES).map(|scope| cut(scope, LONGEST)).collect(),
            source: rotated.source,
            role: rotated.role.map(|role| cut(role, LONGEST)),
        },
        Event::RefreshFailed(failed) => Body::RefreshFailed {
            reason: failed.reason.as_str(),
            error: failed.error,
            fault: fault(failed.fault),
            attempt: failed.attempt,
            next_attempt_at: failed.next_in.map(|wait| {
                let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                rfc3339_millis(head.millis.saturating_add(wait))
            }),
            expires_at: time(failed.expires_at),
        },
    };
    let record = Record {
        event: event.name(),
        id: head.id.to_string(),
        time: rfc3339_millis(head.millis),
        correlation_id: head.correlation.to_string(),
        bouncer_id: cut(head.bouncer_id, LONGEST),
        provider: cut(subject.provider, LONGEST),
        provider_kind: subject.kind.as_str(),
        auth_type: subject.auth.as_str(),
        body,
    };
    let json = serde_json::to_string(&record).ok()?;
    Some(seen(&json).into())
}

/// JSON lets characters stand in a text that no line of a record should have. Outside of texts it has none of them.
fn seen(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if is_unseen(c) {
            let mut units = [0; 2];
            // Writing to a String does not fail.
            let _ = c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

const fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Operator => "operator",
        Fault::Remote => "remote",
        Fault::Bouncer => "bouncer",
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
