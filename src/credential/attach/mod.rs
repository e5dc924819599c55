//! The only writer of credential headers: takes the caller's away, puts the provider's on.
//!
//! Which of several equal names a server believes is that server's secret, so none of the caller's is left: every line under
//! a stripped name goes, in whatever spelling a lenient server takes for it (THREATS H01 to H03).

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::{ClockSkews, Credential, Lines, Listed, Signed, SigningError};
use crate::base::Now;
use crate::policy::Permit;
use crate::request::{HeaderMutation, HeaderValue, Headers, RequestView, SetHeader};

/// A credential on a request.
#[derive(Debug)]
pub struct Attached<'a> {
    /// Caller's credentials off, provider's on.
    pub mutation: HeaderMutation<'a>,
    /// What was signed, where it is a signature.
    pub signed: Option<Box<Signed>>,
}

/// Puts `credential` on the request. The permit is the proof that policy agreed.
///
/// # Errors
/// [`SigningError`], from a credential that signs.
pub fn attach<'a>(
    _permit: &Permit<'_>,
    credential: &Credential,
    credential_headers: &[String],
    view: &RequestView<'a>,
    now: Now,
    clocks: &ClockSkews,
) -> Result<Attached<'a>, SigningError> {
    match credential {
        Credential::Lines(lines) => {
            Ok(Attached { mutation: exchange(lines, credential_headers, &view.headers), signed: None })
        }
        Credential::Signer(signer) => {
            let (set, signed) = signer.sign(view, now, clocks)?;
            let mut mutation = strip(credential_headers, &view.headers);
            mutation.set = set;
            Ok(Attached { mutation, signed: Some(Box::new(signed)) })
        }
    }
}

/// The caller's own credentials, each name as the request spells it, once. `credential_headers` are the names under which callers
/// may send their token and providers take their key, in any spelling.
#[must_use]
pub fn strip<'a>(credential_headers: &[String], headers: &Headers<'a>) -> HeaderMutation<'a> {
    strip_with(&[], credential_headers, headers)
}

/// The same with the lines that are set: a second line under such a name, or a lenient spelling of it, must not survive beside
/// ours.
fn strip_with<'a>(
    set: &[SetHeader],
    credential_headers: &[String],
    headers: &Headers<'a>,
) -> HeaderMutation<'a> {
    let names = || {
        let set = set.iter().map(|line| &*line.name);
        credential_headers.iter().map(String::as_bytes).chain(set)
    };
    // Nearly all lines are as long as none of them.
    let lengths = names().fold(0_u64, |lengths, name| lengths | bit(name.len()));
    let mut mutation = HeaderMutation::default();
    for line in headers.iter() {
        let sent = Sent::of(line.name);
        let listed = || lengths & bit(sent.0.len()) != 0 && names().any(|name| sent.is(name));
        if sent.is_stripped() || listed() {
            remove(&mut mutation, line.name);
        }
    }
    mutation
}

fn exchange<'a>(
    credential: &Lines,
    credential_headers: &[String],
    headers: &Headers<'a>,
) -> HeaderMutation<'a> {
    let mut mutation = strip_with(&credential.set, credential_headers, headers);
    mutation.set.extend(credential.set.iter().cloned());
    for line in &credential.default {
        if !headers.iter().any(|sent| sent.name.eq_ignore_ascii_case(&line.name)) {
            mutation.set.push(line.clone());
        }
    }
    if let Some(listed) = credential.listed {
        list(&mut mutation, listed, headers);
    }
    mutation
}

/// Adds a member to a list: whole members are compared, over all lines of the name (RFC 9110 section 5.3), and those of the
/// caller's stay.
fn list<'a>(mutation: &mut HeaderMutation<'a>, Listed { name, member }: Listed, headers: &Headers<'a>) {
    let sent = || headers.all(name).flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    if sent().filter(|sent| *sent == member.as_bytes()).count() == 1 {
        return;
    }
    let others = sent().filter(|sent| !sent.is_empty() && *sent != member.as_bytes());
    let members: Vec<_> = others.chain([member.as_bytes()]).collect();
    let value = HeaderValue::Plain(Bytes::from(members.join(&b',')));
    for line in headers.iter().filter(|line| line.is(name)) {
        remove(mutation, line.name);
    }
    mutation.set.push(SetHeader { name: Bytes::from_static(name.as_bytes()), value });
}

/// One bit a length; the longest share one.
fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn remove<'a>(mutation: &mut HeaderMutation<'a>, name: &'a [u8]) {
    if !mutation.remove.contains(&name) {
        mutation.remove.push(name);
    }
}

/// A name as lenient servers take it: letter case, `_` and `.` for `-`, blanks at the ends. Servers that make CGI variables of
/// names cannot tell `X_Api_Key` from `x-api-key` (CVE-2025-64484, CVE-2026-39858).
#[derive(Clone, Copy)]
struct Sent<'a>(&'a [u8]);

impl<'a> Sent<'a> {
    fn of(name: &'a [u8]) -> Self {
        match name {
            // Blanks at an end are seldom.
            bytes @ [b'!'..=b'~', .., b'!'..=b'~'] => Self(bytes),
            bytes => Self(bytes.trim_ascii()),
        }
    }

    /// Whether it may carry a credential or say whose it is, whatever the provider (PROVIDERS section 1). Nearly all lines of
    /// a request are done with after their first and third letter.
    fn is_stripped(self) -> bool {
        let [first, _, third, ..] = self.0 else { return false };
        match (fold(*first), fold(*third)) {
            (b'a', b't') => self.is(b"authorization") || self.is(b"anthropic-workspace-id"),
            (b'a', b'i') => self.is(b"api-key"),
            (b'c', b'o') => self.is(b"cookie"),
            (b'o', b'p') => self.is(b"ocp-apim-subscription-key"),
            (b'o', b'e') => self.is(b"openai-organization") || self.is(b"openai-project"),
            (b'p', b'o') => self.is(b"proxy-authorization"),
            // x-aigw-* carries credential overrides into Envoy AI Gateway.
            (b'x', b'a') => {
                self.is(b"x-api-key") || self.begins_with(b"x-amz-") || self.begins_with(b"x-aigw-")
            }
            (b'x', b'g') => self.begins_with(b"x-goog-"),
            (b'x', b'f') => self.is(b"x-forwarded-client-cert"),
            _ => false,
        }
    }

    /// Whether it is `name`, which has neither capitals nor blanks at its ends.
    fn is(self, name: &[u8]) -> bool {
        // Nearly all that are not differ in length.
        self.0.len() == name.len() && self.begins_with(name)
    }

    fn begins_with(self, prefix: &[u8]) -> bool {
        self.0.len() >= prefix.len()
            && self.0.iter().zip(prefix).all(|(one, other)| fold(*one) == fold(*other))
    }
}

const fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other.to_ascii_lowercase(),
    }
}
