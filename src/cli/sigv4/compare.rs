//! Our texts beside AWS's: where they differ first, what that means and what to change.

use super::answer::Answer;
use super::causes;
use crate::credential::{ShownRequest, StringToSign};

/// A line that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Which one.
    pub(super) name: String,
    /// Where it stands.
    pub(super) place: String,
    /// As bouncer writes it.
    pub(super) ours: String,
    /// As AWS wrote it.
    pub(super) theirs: String,
    /// What that means.
    pub(super) means: String,
    /// What to change.
    pub(super) change: &'static str,
}

/// The header whose value is never compared: here it is often a placeholder.
pub(super) const TOKEN: &str = "x-amz-security-token";

const REQUEST: &str = "the canonical request";
const STRING: &str = "the string to sign";

/// Every line that differs, in the order of the texts. Values that are not shown are taken to be the same.
pub(super) fn differences(ours: &ShownRequest, string: &StringToSign, answer: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(theirs) = &answer.canonical {
        request(ours, theirs, &mut found);
    }
    if let Some(theirs) = &answer.string {
        string_to_sign(string, theirs, &mut found);
        // Where a line above differs the hash only says so once more, and with a value that is not shown it says nothing.
        if found.is_empty() && !hides(ours) && string.hash != theirs.hash {
            let (means, change) = causes::hash(answer.canonical.as_ref());
            found.push(Difference {
                name: "request hash".to_owned(),
                place: format!("line 4 of {STRING}"),
                ours: string.hash.clone(),
                theirs: theirs.hash.clone(),
                means,
                change,
            });
        }
    }
    found
}

/// Whether a value is in it that is not shown.
pub(super) fn hides(request: &ShownRequest) -> bool {
    request.query.contains("<redacted")
        || request.headers.iter().any(|(_, value)| value.starts_with("<redacted"))
}

fn request(ours: &ShownRequest, theirs: &ShownRequest, found: &mut Vec<Difference>) {
    let mut line = |name: &str, place: String, pair: [&str; 2], cause: (String, &'static str)| {
        let [ours, theirs] = pair.map(str::to_owned);
        found.push(Difference {
            name: name.to_owned(),
            place,
            ours,
            theirs,
            means: cause.0,
            change: cause.1,
        });
    };
    let of = |number: usize| format!("line {number} of {REQUEST}");
    if ours.method != theirs.method {
        line("method", of(1), [&ours.method, &theirs.method], causes::method());
    }
    if ours.path != theirs.path {
        line("path", of(2), [&ours.path, &theirs.path], causes::path(&ours.path, &theirs.path));
    }
    if ours.query != theirs.query {
        line("query", of(3), [&ours.query, &theirs.query], causes::query(&ours.query, &theirs.query));
    }
    for (at, (name, value)) in ours.headers.iter().enumerate() {
        let mut others = theirs.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        if let (Some(other), None) = (others.next(), others.next())
            && name != TOKEN
            && other != value
        {
            let cause = causes::header(name, value, other);
            line(&format!("header {name}"), of(4 + at), [value, other], cause);
        }
    }
    // Two blank lines are none of the headers, and the last two lines come after the second one.
    let after = 4 + ours.headers.len();
    if ours.signed_headers != theirs.signed_headers {
        let pair = [ours.signed_headers.as_str(), theirs.signed_headers.as_str()];
        line("signed headers", of(after + 1), pair, causes::signed_headers(pair[0], pair[1]));
    }
    if ours.payload != theirs.payload {
        let pair = [ours.payload.as_str(), theirs.payload.as_str()];
        line("payload hash", of(after + 2), pair, causes::payload(pair[0], pair[1]));
    }
}

fn string_to_sign(ours: &StringToSign, theirs: &StringToSign, found: &mut Vec<Difference>) {
    let mut line = |name: &str, number: usize, pair: [&str; 2], cause: (String, &'static str)| {
        let [ours, theirs] = pair.map(str::to_owned);
        let place = format!("line {number} of {STRING}");
        found.push(Difference {
            name: name.to_owned(),
            place,
            ours,
            theirs,
            means: cause.0,
            change: cause.1,
        });
    };
    if ours.algorithm != theirs.algorithm {
        line("algorithm", 1, [&ours.algorithm, &theirs.algorithm], causes::another_signer());
    }
    if ours.time != theirs.time {
        line("time", 2, [&ours.time, &theirs.time], causes::time());
    }
    if ours.scope != theirs.scope {
        line("scope", 3, [&ours.scope, &theirs.scope], causes::scope(&ours.scope, &theirs.scope));
    }
}

/// How many characters the two have in common at the beginning.
pub(super) fn common(ours: &str, theirs: &str) -> usize {
    ours.chars().zip(theirs.chars()).take_while(|(one, other)| one == other).count()
}
