//! What a provider's 401 or 403 says of the credential that it got: whether another one of its kind would be taken.
//!
//! Only header lines are looked at, but for one case: what callers can provoke must cost no more than a renewal that was not
//! needed. Which answers mean that a token ended before its time is each vendor's own (PROVIDERS section 5).

use super::{AuthType, AwsErrorCode, ProviderKind};
use crate::request::Headers;

/// Longest body that is asked for. The vendor's have some hundred bytes; an Envoy that is told to buffer more than its limit
/// answers 500 or, from a cluster's filter, not at all, and limits down to 32 KiB are usual.
const LONGEST_BODY: u64 = 8 << 10;

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Another token.
    Refresh,
    /// That depends on the body: see [`says_revoked`].
    ReadBody,
    /// Another signature, where the time in this one was wrong; else somebody has to look at what was signed.
    Signature,
    /// The signature did not arrive as it was made: somebody has to look at what is behind us.
    Unsigned,
    /// Another signature, where the time in this one was wrong; else a right is missing, and nothing helps.
    Access,
    /// Nothing that we could do: a static key, a right that is missing, a rule of the network.
    Nothing,
}

/// What helps against this answer to a request with a credential of `auth`.
#[must_use]
pub fn remedy(kind: ProviderKind, auth: AuthType, status: u16, headers: &Headers<'_>) -> Remedy {
    match (auth, status) {
        (AuthType::ApiKey, _) => Remedy::Nothing,
        (AuthType::AwsSigV4, 403) => of_aws(headers),
        (AuthType::OAuth2 | AuthType::Oidc | AuthType::AzureAd, 401) => of_bearer(kind, headers),
        // "OAuth token has been revoked" and "does not meet scope requirement" differ in their text only.
        (AuthType::OAuth2 | AuthType::Oidc, 403) if kind == ProviderKind::Anthropic => of_length(headers),
        _ => Remedy::Nothing,
    }
}

/// Whether the body of Anthropic's 403 says that the token was revoked, which another one is not.
#[must_use]
pub fn says_revoked(body: &[u8]) -> bool {
    const SENTENCE: &[u8] = b"OAuth token has been revoked";
    body.len() as u64 <= LONGEST_BODY && body.windows(SENTENCE.len()).any(|text| text == SENTENCE)
}

fn of_bearer(kind: ProviderKind, headers: &Headers<'_>) -> Remedy {
    let error = headers.all("www-authenticate").find_map(bearer_error);
    let refused = match kind {
        // Its answers to a token of the wrong kind or to none have no error code.
        ProviderKind::Vertex => error != Some(b"invalid_token"),
        // Azure's word for a role that is missing, beside a status that says otherwise (its REST guidelines have the header).
        ProviderKind::AzureOpenAi => {
            headers.all("x-ms-error-code").any(|code| code.eq_ignore_ascii_case(b"PermissionDenied"))
        }
        ProviderKind::Custom => error.is_some_and(|error| error != b"invalid_token"),
        ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Bedrock => false,
    };
    if refused || error == Some(b"insufficient_scope") { Remedy::Nothing } else { Remedy::Refresh }
}

/// `x-amzn-errortype: ExpiredTokenException:http://…`; the text behind the colon is optional, and so is a namespace before
/// `#`.
fn of_aws(headers: &Headers<'_>) -> Remedy {
    let Some(value) = headers.only("x-amzn-errortype") else { return Remedy::Nothing };
    let name = value.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = name.rsplit(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
    match AwsErrorCode::parse(str::from_utf8(name).unwrap_or_default()) {
        code if code.is_about_keys() => Remedy::Refresh,
        AwsErrorCode::AccessDenied => Remedy::Access,
        code if code.is_about_time() => Remedy::Signature,
        AwsErrorCode::IncompleteSignature | AwsErrorCode::MissingAuthenticationToken => Remedy::Unsigned,
        _ => Remedy::Nothing,
    }
}

/// A body whose length nobody knows, or that is compressed, is not asked for.
fn of_length(headers: &Headers<'_>) -> Remedy {
    let plain = headers.all("content-encoding").all(|coding| coding == b"identity");
    let length = headers.only("content-length").and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    match length {
        Some(1..=LONGEST_BODY) if plain => Remedy::ReadBody,
        _ => Remedy::Nothing,
    }
}

/// The parameter `error` of a Bearer challenge (RFC 6750 section 3, RFC 9110 section 11.6.1).
fn bearer_error(value: &[u8]) -> Option<&[u8]> {
    let mut bearer = false;
    for element in Elements(value) {
        let equals = element.iter().position(|byte| *byte == b'=').unwrap_or(element.len());
        let (name, parameter) = element.split_at_checked(equals)?;
        // `Bearer realm="x"`: what stands before the parameter's own name begins another challenge.
        let name = name.trim_ascii_end();
        let name = match name.iter().position(u8::is_ascii_whitespace) {
            Some(blank) => {
                let (scheme, name) = name.split_at_checked(blank)?;
                bearer = scheme.eq_ignore_ascii_case(b"bearer");
                name.trim_ascii()
            }
            None if parameter.is_empty() => {
                bearer = name.eq_ignore_ascii_case(b"bearer");
                continue;
            }
            None => name,
        };
        if bearer && name.eq_ignore_ascii_case(b"error") {
            let text = parameter.get(1..)?.trim_ascii();
            return Some(text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text));
        }
    }
    None
}

/// The elements of a list; a comma within quotes parts nothing.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = self.0.iter().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' if !quoted => return true,
                _ => {}
            }
            false
        });
        let (element, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(element.trim_ascii())
    }
}

#[cfg(test)]
#[path = "rejection_tests.rs"]
mod tests;
