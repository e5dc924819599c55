//! What things are called in all reports.

use std::time::Duration;

use super::super::plan::{Address, Pace, Protocol, Target, Tls, Until};
use super::super::record::Outcome;
use super::super::summary::{Asked, Summary};
use super::super::units;
use crate::base::{is_unseen, printable};

/// Longest address that is shown, in bytes.
const LONGEST: usize = 200;

pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::ExtProc => "ext_proc",
        Protocol::ExtAuthz => "ext_authz",
    }
}

pub(super) fn address(address: &Address) -> String {
    match address {
        Address::Tcp(address) => printable(address, LONGEST),
        Address::Unix(path) => printable(&format!("unix:{}", path.display()), LONGEST),
    }
}

pub(super) fn transport(target: &Target) -> &'static str {
    match &target.tls {
        None => "plain text",
        Some(Tls { certificate: None, .. }) => "TLS",
        Some(Tls { certificate: Some(_), .. }) => "mutual TLS",
    }
}

pub(super) fn pace(pace: Pace) -> String {
    match pace {
        Pace::Closed => "closed loop".to_owned(),
        Pace::Open { rate } => format!("open loop, {}/s", units::rate(rate)),
    }
}

pub(super) fn until(until: Until) -> String {
    match until {
        Until::Requests(count) => units::number(count, "request"),
        Until::Elapsed(time) => units::span(time),
    }
}

/// How many of what there were on the side of the callers.
pub(super) fn crowd(asked: &Asked) -> [String; 3] {
    [
        units::number(asked.plan.connections as u64, "connection"),
        units::number(asked.plan.streams as u64, "stream"),
        units::number(asked.callers, "caller"),
    ]
}

/// What is said of kinds beyond those that are told apart.
pub(super) const OTHERS: &str = "of further kinds";

/// How many lines of [`facts`] every run has; details follow.
pub(super) const FACTS: usize = 7;

/// Everything that was asked, a line each.
pub(super) fn facts(asked: &Asked) -> Vec<(String, String)> {
    let plan = &asked.plan;
    let warm_up = match plan.warm_up {
        Duration::ZERO => "none".to_owned(),
        time => format!("{}, not measured", units::span(time)),
    };
    let known: [_; FACTS] = [
        ("server", format!("{}, {}", address(&plan.target.address), transport(&plan.target))),
        ("protocol", protocol(plan.target.protocol).to_owned()),
        ("pace", pace(plan.pace)),
        ("concurrency", crowd(asked).join(", ")),
        ("warm-up", warm_up),
        ("measured", until(plan.until)),
        ("patience", units::time(plan.patience)),
    ];
    let known = known.into_iter().map(|(name, value)| (name.to_owned(), value));
    let details = asked.details.iter().map(|(name, value)| ((*name).to_owned(), printable(value, LONGEST)));
    known.chain(details).collect()
}

pub(super) fn outcome(outcome: Outcome, asked: &Asked) -> String {
    match outcome {
        Outcome::Right => "right".to_owned(),
        Outcome::Refused(200) => "permitted where a refusal was expected".to_owned(),
        Outcome::Refused(status) => format!("refused with HTTP {status}"),
        Outcome::Wrong(what) => format!("wrong answer: {what}"),
        Outcome::Status(status) => match grpc(status) {
            Some(name) => format!("gRPC status {status} {name}"),
            None => format!("gRPC status {status}"),
        },
        Outcome::TimedOut => format!("no answer in {}", units::time(asked.plan.patience)),
        Outcome::Broken => "connection broken, or none".to_owned(),
    }
}

/// Every kind of error with how many there were, and the line that is said of it.
pub(super) fn errors(summary: &Summary) -> Vec<(u64, String)> {
    let known = summary.errors.iter().map(|kind| {
        let mut line = outcome(kind.outcome, &summary.asked);
        line.push_str(&format!(", first at {}", units::span(kind.first)));
        if let Some(reason) = &kind.reason {
            line.push_str(": ");
            line.push_str(reason);
        }
        (kind.count, line)
    });
    let others = (summary.other_errors > 0).then(|| (summary.other_errors, OTHERS.to_owned()));
    known.chain(others).collect()
}

/// <https://grpc.io/docs/guides/status-codes/>
pub(super) fn grpc(status: i32) -> Option<&'static str> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::try_from(status).ok()?).copied()
}

/// `text` inside an element or an attribute in quotes, of HTML and of XML alike; what is not seen is spelled out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ if is_unseen(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_page_is_escaped() {
        assert_eq!(
            escape("<a href='x' \"&\u{202e}\u{1}>é"),
            "&lt;a href=&#39;x&#39; &quot;&amp;\\u{202e}\\u{1}&gt;é"
        );
    }

    #[test]
    fn statuses_have_their_names() {
        for (status, expected) in [(0, Some("OK")), (16, Some("UNAUTHENTICATED")), (17, None), (-1, None)] {
            assert_eq!(grpc(status), expected, "{status}");
        }
    }
}
