//! The request's path, accepted only in a form that every server on the way reads in the same way.

use thiserror::Error;

/// A `:path` that means one thing only. The query is left out: it never takes part in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    path: &'a str,
    escaped_slash: bool,
}

/// Why a path is refused: proxy and application could read it differently (CVE-2021-39156, GHSA-6jwx-7vp4-9847).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Empty, `*`, absolute-form, or anything else that does not start with `/`.
    #[error("the path does not start with /")]
    NotOrigin,
    /// Longer than the limit.
    #[error("the path is too long")]
    TooLong,
    /// A control character, a blank, a backslash, a fragment, a path parameter or a byte outside ASCII.
    #[error("the path has a character that has no single meaning")]
    Character,
    /// `//`, `/./` or `/../`, also percent-encoded.
    #[error("the path has an empty or a dot segment")]
    Segment,
    /// `%` that is not followed by two hexadecimal digits, or an encoded backslash, percent or control character.
    #[error("the path has an escape that has no single meaning")]
    Escape,
    /// An encoded slash, for a provider whose paths have none.
    #[error("the path has an encoded slash (%2F), which only ARNs of AWS have")]
    Slash,
}

impl<'a> Path<'a> {
    /// Longest accepted `:path`, query included.
    pub const MAX: usize = 16 * 1024;

    /// Reads a `:path`.
    ///
    /// # Errors
    /// [`PathError`] when it could be read in more than one way: the caller gets 400.
    pub fn parse(raw: &'a str) -> Result<Self, PathError> {
        if raw.len() > Self::MAX {
            return Err(PathError::TooLong);
        }
        if !raw.starts_with('/') {
            return Err(PathError::NotOrigin);
        }
        if is_plain(raw) {
            return Ok(Self { path: raw, escaped_slash: false });
        }
        let path = raw.split_once('?').map_or(raw, |(path, _)| path);
        if raw.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#')
            || path.bytes().any(|byte| matches!(byte, b'\\' | b';'))
        {
            return Err(PathError::Character);
        }
        let escaped_slash = check_escapes(path)?;
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            // One trailing slash is a segment of its own in nobody's reading.
            let last = segments.peek().is_none();
            if (segment.is_empty() && !last) || is_dots(segment) {
                return Err(PathError::Segment);
            }
            // Who reads an encoded slash as a slash must find no other path.
            if escaped_slash && !is_one(segment) {
                return Err(PathError::Segment);
            }
        }
        Ok(Self { path, escaped_slash })
    }

    /// Whether there is an encoded slash in it. Only a provider that has them in its own paths takes such a one: to every
    /// other it is a path with two readings.
    #[must_use]
    pub fn has_escaped_slash(&self) -> bool {
        self.escaped_slash
    }

    /// The path without its query.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.path
    }
}

/// Whether it is nothing but words between single slashes, as most paths of an API are. Seen at one glance: the rest of this file
/// would say the same of it.
fn is_plain(raw: &str) -> bool {
    let mut before = b' ';
    raw.bytes().all(|byte| {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b':')
            || byte == b'/' && before != b'/';
        before = byte;
        plain
    })
}

/// Whether there is an encoded slash.
fn check_escapes(path: &str) -> Result<bool, PathError> {
    let mut slash = false;
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (Some(high), Some(low)) = (digit(rest.get(at + 1)), digit(rest.get(at + 2))) else {
            return Err(PathError::Escape);
        };
        let byte = high * 16 + low;
        if matches!(byte, b'\\' | b'%' | 0x7f) || byte < 0x20 {
            return Err(PathError::Escape);
        }
        slash |= byte == b'/';
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    Ok(slash)
}

/// Whether a segment has neither an empty part nor dots between its encoded slashes, if it has any.
fn is_one(segment: &str) -> bool {
    let mut rest = segment;
    while let Some(at) = rest.find("%2F").into_iter().chain(rest.find("%2f")).min() {
        let (part, after) = (rest.get(..at), rest.get(at + 3..));
        if part.is_none_or(|part| part.is_empty() || is_dots(part)) {
            return false;
        }
        rest = after.unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
    }
    !is_dots(rest)
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn is_dots(segment: &str) -> bool {
    let mut dots = 0;
    let mut rest = segment;
    while !rest.is_empty() {
        rest = match rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix("%2e"))
            .or_else(|| rest.strip_prefix("%2E"))
        {
            Some(rest) => rest,
            None => return false,
        };
        dots += 1;
    }
    matches!(dots, 1 | 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_path_is_one_that_is_taken_in_any_case(path in "/[a-zA-Z0-9_:/-]{0,12}[.%;?a/]{0,2}") {
            // A query of nothing takes the long way.
            let long = Path::parse(&format!("{path}?")).map(|path| path.as_str().to_owned());
            if is_plain(&path) {
                prop_assert_eq!(long, Ok(path.clone()));
            }
            prop_assert_eq!(is_plain("/v1/chat/completions"), true);
        }
    }

    #[track_caller]
    fn check(raw: &str, expected: Result<&str, PathError>) {
        assert_eq!(Path::parse(raw).map(|path| path.as_str()), expected, "{raw}");
    }

    #[test]
    fn plain_paths_are_taken_and_the_query_is_kept_apart() {
        check("/", Ok("/"));
        check("/v1/chat/completions", Ok("/v1/chat/completions"));
        check(
            "/openai/deployments/gpt-4o/chat?api-version=2024-10-21",
            Ok("/openai/deployments/gpt-4o/chat"),
        );
        check("/v1/models/", Ok("/v1/models/"));
        check("/v1/a?next=//x/../y%2Fz", Ok("/v1/a"));
        check("/v1/files/a%20b", Ok("/v1/files/a%20b"));
        check("/model/claude-v1:0/converse", Ok("/model/claude-v1:0/converse"));
        check("/v1/...", Ok("/v1/..."));
    }

    #[test]
    fn an_encoded_slash_is_told_and_no_other_escape_is_taken_for_one() {
        let arn = "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A1%3Aapplication-inference-profile%2Fabc/converse";
        for (raw, escaped) in [
            (arn, true),
            ("/model/a%2fb%2Fc/", true),
            ("/model/claude-v1%3A0/converse", false),
            ("/v1/x?y=%2F..%2F", false),
        ] {
            assert_eq!(Path::parse(raw).unwrap().has_escaped_slash(), escaped, "{raw}");
        }
    }

    #[test]
    fn paths_with_two_readings_are_refused() {
        for raw in ["", "*", "v1/x", "http://evil/v1", "?x"] {
            check(raw, Err(PathError::NotOrigin));
        }
        for raw in ["/v1/a%252Fb", "/v1/%00", "/v1/%5c..", "/v1/%", "/v1/%2", "/v1/%zz"] {
            check(raw, Err(PathError::Escape));
        }
        for raw in [
            "//v1",
            "/v1//x",
            "/v1/./x",
            "/v1/../x",
            "/..",
            "/v1/%2e%2e/x",
            "/v1/.%2E/x",
            "/v1/%2e",
            "/v1/%2F",
            "/v1/%2fx",
            "/v1/x%2F",
            "/v1/x%2F/y",
            "/v1/x%2f%2Fy",
            "/v1/x%2F..",
            "/v1/..%2Fx",
            "/v1/x%2F.%2fy",
            "/v1/x%2f%2e%2E%2Fy",
            "/%2F",
        ] {
            check(raw, Err(PathError::Segment));
        }
        for raw in ["/v1;a=b/x", "/v1\\x", "/v1#frag", "/v1?x#frag", "/v1 x", "/v1\u{7f}", "/v1/é", "/v1\0"]
        {
            check(raw, Err(PathError::Character));
        }
        check(&format!("/{}", "a".repeat(64 * 1024)), Err(PathError::TooLong));
    }
}
