//! The request to explain, as JSON.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::base::{is_unseen, printable};
use crate::request::PayloadHash;

/// A request as it was given. Its values may be secret.
pub(super) struct GivenRequest {
    pub(super) method: String,
    /// Host, with its port.
    pub(super) authority: String,
    /// Path and query as they are written.
    pub(super) raw_path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: GivenBody,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenBody {
    Bytes(Vec<u8>),
    Hash(PayloadHash),
}

/// Why it cannot be read. No value stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum RequestError {
    #[error("line {line}, column {column}: this is not JSON")]
    Json { line: usize, column: usize },
    #[error("{at}: {what}")]
    At { at: String, what: &'static str },
    #[error("{0}")]
    Url(#[from] UrlError),
}

/// Why a URL cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum UrlError {
    #[error("the URL begins with https://, or http://")]
    Scheme,
    #[error("the URL has no host")]
    Host,
    #[error("the URL has a user or a password in it; leave them out")]
    User,
    #[error("the URL has a blank or a control character in it")]
    Character,
}

const FIELDS: &str = "no such field: method, url (or host and path), headers and one of body, body_base64, body_sha256 are known";

impl GivenRequest {
    /// Reads `text`.
    pub(super) fn read(text: &str) -> Result<Self, RequestError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| RequestError::Json { line: error.line(), column: error.column() })?;
        let Value::Object(object) = &value else { return Err(at("the document", "an object is wanted")) };
        let known = ["method", "url", "host", "path", "headers", "body", "body_base64", "body_sha256"];
        if let Some(unknown) = object.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(at(printable(unknown, 64), FIELDS));
        }
        let text = |name: &str| match object.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(at(name, "a string is wanted")),
        };
        let (authority, raw_path) = match (text("url")?, text("host")?, text("path")?) {
            (Some(url), None, None) => split_url(&url)?,
            (None, host, Some(path))
                if path.starts_with('/') && !path.contains(|c| is_unseen(c) || c == ' ') =>
            {
                (host.unwrap_or_default(), path)
            }
            (None, _, Some(_)) => return Err(at("path", "it begins with / and has no blanks")),
            (Some(_), ..) => return Err(at("url", "it goes without host and path")),
            (None, _, None) => return Err(at("the document", "url is missing, or host and path are")),
        };
        let body = body(text("body")?, text("body_base64")?, text("body_sha256")?)?;
        let headers = headers(object)?;
        let method = text("method")?.ok_or_else(|| at("method", "it is missing"))?;
        if !is_method(&method) {
            return Err(at("method", "this is no method"));
        }
        let mut request = Self { method, authority, raw_path, headers, body };
        request.take_host();
        if request.authority.is_empty() {
            return Err(at("host", "it is missing"));
        }
        Ok(request)
    }

    /// The lines under `name`.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.headers.iter().filter(move |line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1.as_str())
    }

    /// A line `host` says more than the URL, which only says where to connect to.
    pub(super) fn take_host(&mut self) {
        if let Some(host) = self.all("host").last() {
            self.authority = host.to_owned();
        }
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
    }
}

impl fmt::Debug for GivenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Whether HTTP has such methods.
pub(super) fn is_method(text: &str) -> bool {
    http::Method::from_bytes(text.as_bytes()).is_ok()
}

/// Authority, and path with query, as they are written: what normalizes a URL would change what is signed.
pub(super) fn split_url(url: &str) -> Result<(String, String), UrlError> {
    if url.chars().any(|c| is_unseen(c) || c == ' ') {
        return Err(UrlError::Character);
    }
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(UrlError::Scheme);
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
    if authority.contains('@') {
        return Err(UrlError::User);
    }
    if authority.is_empty() {
        return Err(UrlError::Host);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((authority.to_owned(), format!("{slash}{path}")))
}

fn headers(object: &Map<String, Value>) -> Result<Vec<(String, String)>, RequestError> {
    let mut lines = Vec::new();
    match object.get("headers") {
        None => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                let place = || format!("headers.{}", printable(name, 64));
                let text = value.as_str().ok_or_else(|| at(place(), "a string is wanted"))?;
                lines.push((place(), name.clone(), text.to_owned()));
            }
        }
        Some(Value::Array(list)) => {
            for (number, line) in list.iter().enumerate() {
                let place = format!("headers[{number}]");
                let pair = line.as_array().map(Vec::as_slice);
                let Some([Value::String(name), Value::String(value)]) = pair else {
                    return Err(at(place, "a name and a value are wanted, both strings"));
                };
                lines.push((place, name.clone(), value.clone()));
            }
        }
        Some(_) => return Err(at("headers", "an object, or a list of pairs, is wanted")),
    }
    lines
        .into_iter()
        .map(|(place, name, value)| match http::HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => Err(at(place, "this is no name of a header")),
            Ok(_) if http::HeaderValue::from_str(&value).is_err() => {
                Err(at(place, "this value cannot stand in a header"))
            }
            Ok(_) => Ok((name, value)),
        })
        .collect()
}

fn body(
    text: Option<String>,
    base64: Option<String>,
    sha256: Option<String>,
) -> Result<GivenBody, RequestError> {
    match (text, base64, sha256) {
        (text, None, None) => Ok(GivenBody::Bytes(text.unwrap_or_default().into_bytes())),
        (None, Some(base64), None) => {
            let bytes = STANDARD.decode(base64).map_err(|_| at("body_base64", "this is not base64"))?;
            Ok(GivenBody::Bytes(bytes))
        }
        (None, None, Some(hex)) => PayloadHash::from_hex(&hex)
            .map(GivenBody::Hash)
            .ok_or_else(|| at("body_sha256", "64 lower-case hexadecimal digits are wanted")),
        _ => Err(at("the document", "only one of body, body_base64 and body_sha256 can be there")),
    }
}

fn at(at: impl Into<String>, what: &'static str) -> RequestError {
    RequestError::At { at: at.into(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let text = r#"{"method": "POST", "url": "https://gateway:8443/model/a%2fb:0/converse?x=1#f",
            "headers": {"Host": "h.example", "X-A": "1"}, "body_base64": "e30="}"#;
        let request = GivenRequest::read(text).unwrap();
        assert_eq!(
            (request.authority.as_str(), request.raw_path.as_str()),
            ("h.example", "/model/a%2fb:0/converse?x=1")
        );
        assert_eq!(
            (request.headers, request.body),
            (vec![("X-A".to_owned(), "1".to_owned())], GivenBody::Bytes(b"{}".to_vec()))
        );
        let pairs = r#"{"method": "GET", "host": "h", "path": "/", "headers": [["a", "1"], ["a", "2"]]}"#;
        assert_eq!(GivenRequest::read(pairs).unwrap().all("A").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place_and_without_its_value() {
        for (text, expected) in [
            ("{\n \"canary\" x}", "line 2, column 11: this is not JSON"),
            ("[]", "the document: an object is wanted"),
            (r#"{"methd": "canary"}"#, "methd: no such field"),
            (r#"{"method": 1, "url": "https://h/"}"#, "method: a string is wanted"),
            (r#"{"url": "https://h/"}"#, "method: it is missing"),
            (r#"{"method": "GET"}"#, "the document: url is missing"),
            (r#"{"method": "GET", "path": "/"}"#, "host: it is missing"),
            (r#"{"method": "GET", "url": "https://canary@h/"}"#, "the URL has a user"),
            (r#"{"method": "GET", "url": "canary"}"#, "the URL begins with https://"),
            (r#"{"method": "GET", "url": "https://h/", "path": "/"}"#, "url: it goes without"),
            (r#"{"method": "GET", "url": "https://h", "headers": {"a": 1}}"#, "headers.a: a string"),
            (
                r#"{"method": "GET", "url": "https://h", "headers": [["a"]]}"#,
                "headers[0]: a name and a value",
            ),
            (
                r#"{"method": "GET", "url": "https://h", "headers": {"a": "canary\n"}}"#,
                "headers.a: this value",
            ),
            (r#"{"method": "GET", "url": "https://h", "body": "canary", "body_sha256": "x"}"#, "only one of"),
            (
                r#"{"method": "GET", "url": "https://h", "body_base64": "canary!"}"#,
                "body_base64: this is not",
            ),
            (r#"{"method": "GET", "url": "https://h", "body_sha256": "canary"}"#, "body_sha256: 64 lower"),
        ] {
            let error = GivenRequest::read(text).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{text}: {error}");
        }
    }
}
