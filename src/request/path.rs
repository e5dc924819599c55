//! The request's path, accepted only in a form that every server on the way reads in the same way.

use thiserror::Error;

/// A `:path` that means one thing only. The query is left out: it never takes part in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    path: &'a str,
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
    /// `%` that is not followed by two hexadecimal digits, or an encoded slash, backslash, percent or control character.
    #[error("the path has an escape that has no single meaning")]
    Escape,
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
        let path = raw.split_once('?').map_or(raw, |(path, _)| path);
        if raw.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#')
            || path.bytes().any(|byte| matches!(byte, b'\\' | b';'))
        {
            return Err(PathError::Character);
        }
        check_escapes(path)?;
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            // One trailing slash is a segment of its own in nobody's reading.
            let last = segments.peek().is_none();
            if (segment.is_empty() && !last) || is_dots(segment) {
                return Err(PathError::Segment);
            }
        }
        Ok(Self { path })
    }

    /// The path without its query.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.path
    }
}

fn check_escapes(path: &str) -> Result<(), PathError> {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (Some(high), Some(low)) = (digit(rest.get(at + 1)), digit(rest.get(at + 2))) else {
            return Err(PathError::Escape);
        };
        let byte = high * 16 + low;
        if matches!(byte, b'/' | b'\\' | b'%' | 0x7f) || byte < 0x20 {
            return Err(PathError::Escape);
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    Ok(())
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
    use super::*;

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
    fn paths_with_two_readings_are_refused() {
        for raw in ["", "*", "v1/x", "http://evil/v1", "?x"] {
            check(raw, Err(PathError::NotOrigin));
        }
        for raw in
            ["/v1/a%2Fb", "/v1/a%2fb", "/v1/a%252Fb", "/v1/%00", "/v1/%5c..", "/v1/%", "/v1/%2", "/v1/%zz"]
        {
            check(raw, Err(PathError::Escape));
        }
        for raw in ["//v1", "/v1//x", "/v1/./x", "/v1/../x", "/..", "/v1/%2e%2e/x", "/v1/.%2E/x", "/v1/%2e"] {
            check(raw, Err(PathError::Segment));
        }
        for raw in ["/v1;a=b/x", "/v1\\x", "/v1#frag", "/v1?x#frag", "/v1 x", "/v1\u{7f}", "/v1/é", "/v1\0"]
        {
            check(raw, Err(PathError::Character));
        }
        check(&format!("/{}", "a".repeat(64 * 1024)), Err(PathError::TooLong));
    }
}
