//! What has no canonical form that everybody agrees upon is refused before it is signed: AWS would say no more than 403.
//!
//! AWS takes a query apart and writes it anew. `aws-sigv4` does the same, and reads `+` as a blank; botocore and others sort
//! the pieces and sign them as they stand. All agree where a query is already written as AWS writes it, so that only the order
//! is left to choose: names and values in unreserved characters (RFC 3986 section 2.3) and upper-case escapes of all others.

use std::str::Utf8Error;

use super::SigningError;
use crate::request::Path;

/// Checks everything of a request's path and query that does not depend on whom it is signed for.
pub(super) fn check(method: &str, raw_path: &str) -> Result<(), SigningError> {
    let (path, query) = raw_path.split_once('?').unwrap_or((raw_path, ""));
    if pieces(query).any(|(name, _)| is_of_a_presigned_request(name)) {
        return Err(SigningError::Presigned);
    }
    let empty = query.is_empty();
    if !empty && !query.split('&').all(|piece| !piece.is_empty() && is_canonical_pair(piece)) {
        return Err(SigningError::Query);
    }
    if raw_path.len() > Path::MAX || !is_normal(path) || !method.bytes().all(|byte| byte.is_ascii_uppercase())
    {
        return Err(SigningError::Canonical);
    }
    Ok(())
}

/// Whether `path` calls a model by an ARN whose slashes cut it into segments: `/model/{model}/{operation}` has two.
pub(super) fn cuts_an_arn(raw_path: &str) -> bool {
    let path = raw_path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/model/") else { return false };
    begins_with(decoded(rest), b"arn:") && rest.split('/').filter(|segment| !segment.is_empty()).count() > 2
}

fn pieces(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|piece| piece.split_once('=').unwrap_or((piece, "")))
}

/// `X-Amz-Signature` and its kind, in any spelling that a lenient reader takes for it.
fn is_of_a_presigned_request(name: &str) -> bool {
    begins_with(decoded(name).skip_while(|byte| byte.is_ascii_whitespace() || *byte == b'+'), b"x-amz-")
}

/// Whether `bytes`, in any case, begin with `start`, which is in lower case.
fn begins_with(bytes: impl Iterator<Item = u8>, start: &[u8]) -> bool {
    bytes.map(|byte| byte.to_ascii_lowercase()).take(start.len()).eq(start.iter().copied())
}

fn is_canonical_pair(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    is_canonical(name) && is_canonical(value)
}

fn is_canonical(text: &str) -> bool {
    let mut rest = text.bytes();
    let mut escapes = false;
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'%' => {
                escapes = true;
                let digits = (rest.next().and_then(upper_digit), rest.next().and_then(upper_digit));
                matches!(digits, (Some(high), Some(low)) if !is_unreserved(high * 16 + low))
            }
            byte => is_unreserved(byte),
        };
        if !plain {
            return false;
        }
    }
    !escapes || is_text(text).is_ok()
}

fn is_text(escaped: &str) -> Result<(), Utf8Error> {
    str::from_utf8(&decoded(escaped).collect::<Vec<_>>()).map(|_| ())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The bytes that `text` stands for; what is no escape stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        rest = after;
        if *first == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) =
                (upper_digit(high.to_ascii_uppercase()), upper_digit(low.to_ascii_uppercase()))
        {
            rest = after;
            return Some(high * 16 + low);
        }
        Some(*first)
    })
}

fn upper_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Whether `path` is signed as it leaves: normalization, which is part of the canonical form, finds nothing in it to change,
/// and no byte of it is written anew on the way.
fn is_normal(path: &str) -> bool {
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return false;
    }
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(raw_path: &str, why: SigningError) {
        assert_eq!(check("POST", raw_path), Err(why), "{raw_path}");
    }

    #[test]
    fn presigned_parameters_are_seen_in_every_spelling() {
        for query in [
            "X-Amz-Signature=0",
            "x-amz-signature=0",
            "a=1&X-AMZ-Credential=x",
            "X%2DAmz%2dDate=1",
            "%58-amz-anything",
            "%78%2d%61%6d%7A%2D=",
            "+X-Amz-Date=1",
            "%20X-Amz-Date=1",
        ] {
            refused(&format!("/model/m/converse?{query}"), SigningError::Presigned);
        }
        assert_eq!(check("GET", "/x?not-X-Amz-Date=1&x=X-Amz-Date"), Ok(()));
    }

    #[test]
    fn a_query_that_is_read_in_two_ways_is_refused() {
        for query in [
            "a=b+c", "a+b", "a=%2f", "a=%", "a=%2", "a=%zz", "a=%41", "a=%7E", "a=%FF", "a=%C3", "a=b=c",
            "a=b:c", "a=b/c", "a=b,c", "a=1&&b=2", "a=1&", "&a=1", "&", "a=*", "a=1;b=2", "a[]=1", "a=b?c",
            "a='", "a=\"",
        ] {
            refused(&format!("/x?{query}"), SigningError::Query);
        }
    }

    #[test]
    fn a_query_that_has_one_form_is_taken() {
        for query in
            ["", "a", "a=", "=", "=v", "a=1&a=0&A=2", "b=%C3%A9%20%2B%3D%26%25", "a-._~=x-._~", "%2A=1"]
        {
            assert_eq!(check("GET", &format!("/x?{query}")), Ok(()), "{query}");
        }
    }

    #[test]
    fn a_path_that_normalization_would_change_is_refused() {
        for path in [
            "", "x", "*", "//", "//x", "/a//b", "/a/./b", "/a/../b", "/.", "/..", "/a/..", "/a//", "/a b",
            "/a#b", "/\u{e9}",
        ] {
            refused(path, SigningError::Canonical);
        }
        for path in ["/", "/a/", "/a.b/..c/.d", "/model/m:0/converse", "/model/arn%3Aaws%2Fx/converse"] {
            assert_eq!(check("POST", path), Ok(()), "{path}");
        }
        assert_eq!(check("post", "/"), Err(SigningError::Canonical));
        refused(&format!("/{}", "a".repeat(Path::MAX)), SigningError::Canonical);
    }

    #[test]
    fn an_arn_that_its_slash_cuts_in_two_is_seen() {
        for path in [
            "/model/arn:aws:bedrock:us-west-2:1:inference-profile/x/converse",
            "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A1%3Ainference-profile/x/converse?a=1",
            "/model/%61RN%3aaws:bedrock:us-west-2:1:inference-profile/x/converse",
        ] {
            assert!(cuts_an_arn(path), "{path}");
        }
        for path in [
            "/model/arn:aws:bedrock:us-west-2:1:inference-profile%2Fx/converse",
            "/model/m:0/converse",
            "/model/a/b/c",
            "/model/arn:x/converse/",
            "/guardrail/arn:aws/version/1/apply",
        ] {
            assert!(!cuts_an_arn(path), "{path}");
        }
    }
}
