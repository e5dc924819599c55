//! One request outward and its answer.

use std::borrow::Cow;

use reqwest::Method;
use url::Url;

use super::Reach;
use crate::base::{Secret, SecretBytes};

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// GET, POST or PUT.
    pub method: Method,
    /// Where to.
    pub url: &'a Url,
    /// How far it may go.
    pub reach: Reach,
    /// Its header lines. All are taken for secrets.
    pub headers: Vec<(Cow<'static, str>, Secret<String>)>,
    /// Content type and content.
    pub body: Option<(&'static str, SecretBytes)>,
    /// No larger answer is read.
    pub limit: usize,
}

/// An answer, whatever its status; never a redirect. Its body is wiped with the last clone.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: SecretBytes,
    pub(super) headers: Vec<(&'static str, Box<str>)>,
}

/// The header lines of an answer that somebody reads.
pub(super) const KEPT: [&str; 6] = [
    "content-type",
    "date",
    "metadata-flavor",
    "retry-after",
    "www-authenticate",
    "x-aws-ec2-metadata-token-ttl-seconds",
];

impl Response {
    /// The header line `name` (in lower case), where it is one of the few that are kept and printable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// An answer without header lines.
    #[cfg(test)]
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: SecretBytes::new(body.as_bytes().to_vec()) }
    }
}
