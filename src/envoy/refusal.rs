//! A refusal as status, header lines and body, the same for both protocols.

use std::borrow::Cow;

use crate::pipeline::Refusal;
use crate::provider::ErrorText;
use crate::request::Headers;

/// A refusal that can be sent.
pub(super) struct Denied {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(super) body: Vec<u8>,
}

/// Longest `x-request-id` that is sent back.
const MAX_REQUEST_ID: usize = 256;

impl Denied {
    pub(super) fn new(refusal: &Refusal, request_id: Option<&str>) -> Self {
        let code = refusal.cause.code();
        let mut headers = vec![("content-type", Cow::Borrowed("application/json"))];
        if let Some(challenge) = refusal.www_authenticate() {
            headers.push(("www-authenticate", challenge.into()));
        }
        let known =
            refusal.retry_after.map(|after| u32::try_from(after.as_secs()).unwrap_or(60).clamp(1, 60));
        if let Some(seconds) = code.retry_after_seconds().map(|usual| known.unwrap_or(usual)) {
            headers.push(("retry-after", seconds.to_string().into()));
        }
        if let Some((name, value)) = refusal.dialect.error_header(code.status()) {
            headers.push((name, value.into()));
        }
        if let Some(id) = request_id {
            headers.push(("x-request-id", id.to_owned().into()));
        }
        let text = ErrorText { status: code.status(), code: code.as_str(), message: code.message() };
        Self { status: code.status(), headers, body: refusal.dialect.body(text) }
    }
}

/// The request's own id, where it can be sent back as it is.
pub(super) fn request_id<'a>(headers: &Headers<'a>) -> Option<&'a str> {
    headers
        .only("x-request-id")
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.iter().all(u8::is_ascii_graphic))
        .and_then(|id| str::from_utf8(id).ok())
}
