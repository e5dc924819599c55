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
        // Rounded up: who comes back a moment too early is refused again.
        let known = refusal.retry_after.map(|after| after.as_secs_f64().ceil().clamp(1.0, 60.0) as u64);
        if let Some(seconds) = code.retry_after_seconds().map(|usual| known.unwrap_or(usual.into())) {
            headers.push(("retry-after", seconds.to_string().into()));
        }
        if let Some((name, value)) = refusal.dialect.error_header(code.status()) {
            headers.push((name, value.into()));
        }
        if let Some(id) = request_id {
            headers.push(("x-request-id", id.to_owned().into()));
        }
        let text = ErrorText { status: code.status(), code: code.as_str(), message: refusal.cause.message() };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::token::Unavailable;

    #[test]
    fn retry_after_is_never_too_early_and_never_far_away() {
        for (after, told) in [
            (None, "5"),
            (Some(Duration::ZERO), "1"),
            (Some(Duration::from_millis(1_900)), "2"),
            (Some(Duration::from_secs(7)), "7"),
            (Some(Duration::MAX), "60"),
        ] {
            let refusal = Refusal { retry_after: after, ..Refusal::early(Unavailable::Expired) };
            let denied = Denied::new(&refusal, None);
            let line = denied.headers.iter().find(|(name, _)| *name == "retry-after").unwrap();
            assert_eq!(line.1, told);
        }
    }
}
