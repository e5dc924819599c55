//! The canonical request and the string to sign, written out: what is hashed is here to be read and compared
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! Requests are signed by `aws-sigv4`, which keeps these texts to itself. This is the same once more, after AWS's page; the
//! tests hold the two against each other.

use std::fmt;

use aws_lc_rs::digest;
use url::form_urlencoded;

use crate::base::{Secret, UnixTime};
use crate::request::PayloadHash;

/// The name of the way to sign, and the first line of a string to sign.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A canonical request. `Debug` shows what anybody may see.
#[derive(Clone)]
pub struct CanonicalRequest {
    method: String,
    path: String,
    query: String,
    /// Those that are signed, by name.
    headers: Vec<(String, Secret<String>)>,
    payload: String,
}

/// A canonical request as anybody may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownRequest {
    /// First line.
    pub method: String,
    /// Second line.
    pub path: String,
    /// Third line, values that may be secret left out.
    pub query: String,
    /// Names and values, those that may be secret left out.
    pub headers: Vec<(String, String)>,
    /// The last line but one.
    pub signed_headers: String,
    /// The last line.
    pub payload: String,
}

/// A string to sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringToSign {
    /// First line.
    pub algorithm: String,
    /// `20260101T000000Z`.
    pub time: String,
    /// `20260101/us-east-1/bedrock/aws4_request`.
    pub scope: String,
    /// Hash of the canonical request.
    pub hash: String,
}

impl CanonicalRequest {
    /// The canonical form of a request with this `:path`, of which these headers are signed.
    pub fn new(
        method: &str,
        raw_path: &str,
        headers: impl IntoIterator<Item = (String, Secret<String>)>,
        payload: &PayloadHash,
    ) -> Self {
        let (path, query) = raw_path.split_once('?').unwrap_or((raw_path, ""));
        let mut headers: Vec<_> = headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), Secret::new(single_spaced(value.expose()))))
            .collect();
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            method: method.to_owned(),
            path: encoded(&normal(path), b"/"),
            query: canonical_query(query),
            headers,
            payload: payload.hex(),
        }
    }

    /// Their names, as they stand in the request and in `SignedHeaders`.
    #[must_use]
    pub fn signed_headers(&self) -> String {
        self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
    }

    /// SHA-256 of the text, secrets and all; of a text with a session token in it nothing can be guessed.
    #[must_use]
    pub fn hash(&self) -> String {
        let Self { method, path, query, headers, payload } = self;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut line = |parts: &[&str]| {
            parts.iter().chain(&["\n"]).for_each(|part| context.update(part.as_bytes()));
        };
        [method, path, query].into_iter().for_each(|text| line(&[text]));
        headers.iter().for_each(|(name, value)| line(&[name, ":", value.expose()]));
        line(&[]);
        line(&[&self.signed_headers()]);
        context.update(payload.as_bytes());
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What anybody may see of it.
    #[must_use]
    pub fn shown(&self) -> ShownRequest {
        let headers =
            self.headers.iter().map(|(name, value)| (name.clone(), shown_header(name, value.expose())));
        ShownRequest {
            method: self.method.clone(),
            path: self.path.clone(),
            query: shown_query(&self.query),
            headers: headers.collect(),
            signed_headers: self.signed_headers(),
            payload: self.payload.clone(),
        }
    }
}

impl fmt::Debug for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

impl StringToSign {
    /// That of a canonical request with this hash.
    #[must_use]
    pub fn new(at: UnixTime, region: &str, service: &str, hash: String) -> Self {
        let time = amz_date(at);
        let date = time.get(..8).unwrap_or_default();
        Self {
            algorithm: ALGORITHM.to_owned(),
            scope: format!("{date}/{region}/{service}/aws4_request"),
            time,
            hash,
        }
    }
}

/// `20260101T000000Z`.
#[must_use]
pub fn amz_date(at: UnixTime) -> String {
    at.rfc3339().replace(['-', ':'], "")
}

/// A header's value, where its name is one of those that never carry a secret; else no more than its length.
#[must_use]
pub fn shown_header(name: &str, value: &str) -> String {
    const PLAIN: [&str; 20] = [
        "host",
        "date",
        "accept",
        "expect",
        "user-agent",
        "content-type",
        "content-length",
        "content-encoding",
        "accept-encoding",
        "transfer-encoding",
        "x-amz-date",
        "x-amz-target",
        "x-amz-user-agent",
        "x-amz-content-sha256",
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-request-id",
    ];
    if PLAIN.iter().any(|plain| name.eq_ignore_ascii_case(plain)) {
        value.to_owned()
    } else {
        redacted(value)
    }
}

/// A canonical query without the values of parameters that may carry a secret.
#[must_use]
pub fn shown_query(query: &str) -> String {
    const WORDS: [&str; 8] =
        ["token", "key", "secret", "signature", "credential", "password", "auth", "code"];
    // A secret is a long one, whatever its name.
    const LONGEST: usize = 40;
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, value))
            if value.len() > LONGEST || WORDS.iter().any(|word| name.to_ascii_lowercase().contains(word)) =>
        {
            format!("{name}={}", redacted(value))
        }
        _ => pair.to_owned(),
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}

fn redacted(value: &str) -> String {
    format!("<redacted, {} bytes>", value.len())
}

/// Encoded once more: escapes that are there already are escaped. Only S3 does without.
fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// RFC 3986 section 5.2.4, and no empty segments.
fn normal(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut out = format!("/{}", segments.join("/"));
    if ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && out != "/" {
        out.push('/');
    }
    out
}

/// Parameters taken apart as a form, written anew, in order of names, then values.
fn canonical_query(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (encoded(&name, b""), encoded(&value, b""))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Without blanks around it, and with one where there were several.
fn single_spaced(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "canonical_request_tests.rs"]
mod tests;
