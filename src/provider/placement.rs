//! Where an API key goes.

use thiserror::Error;

/// Header and prefix of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyPlacement {
    /// Lower-case header name.
    pub header: String,
    /// What stands before the key, blank included (`Bearer `).
    pub prefix: String,
}

/// Why the section `api_key` of an entry cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PlacementError {
    /// Not a name that a header can have.
    #[error("a header name is made of letters, digits and `-`, `_`, `.`")]
    Header,
    /// A header that says how the message is carried or where it goes.
    #[error("this header belongs to HTTP itself and cannot carry a key")]
    Reserved,
    /// Not what can stand before a key.
    #[error("a prefix is made of visible ASCII characters and blanks")]
    Prefix,
}

/// Headers that frame or route a message: with a key in one of them, the request would be another request.
const RESERVED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-request-id",
];

impl ApiKeyPlacement {
    /// Reads the section `api_key` of an entry. The header is brought into lower case.
    ///
    /// # Errors
    /// [`PlacementError`]: the operator has to write another header or prefix.
    pub fn parse(header: &str, prefix: &str) -> Result<Self, PlacementError> {
        let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if header.is_empty() || !header.bytes().all(in_a_name) {
            return Err(PlacementError::Header);
        }
        let header = header.to_ascii_lowercase();
        if RESERVED.contains(&header.as_str()) || header.starts_with("x-envoy-") {
            return Err(PlacementError::Reserved);
        }
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(PlacementError::Prefix);
        }
        Ok(Self { header, prefix: prefix.to_owned() })
    }

    /// `authorization: Bearer <key>`.
    #[must_use]
    pub fn bearer() -> Self {
        Self { header: "authorization".to_owned(), prefix: "Bearer ".to_owned() }
    }

    /// `<header>: <key>`.
    #[must_use]
    pub fn bare(header: &str) -> Self {
        Self { header: header.to_owned(), prefix: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_the_operators_choice_is_taken() {
        assert_eq!(ApiKeyPlacement::parse("X-LLM_Key", ""), Ok(ApiKeyPlacement::bare("x-llm_key")));
        assert_eq!(ApiKeyPlacement::parse("Authorization", "Bearer "), Ok(ApiKeyPlacement::bearer()));
    }

    #[test]
    fn a_header_that_is_none_or_belongs_to_http_is_refused() {
        for header in ["", ":path", "x key", "x:key", "x\r\ny", "é"] {
            assert_eq!(ApiKeyPlacement::parse(header, ""), Err(PlacementError::Header), "{header:?}");
        }
        for header in ["Host", "content-length", "Transfer-Encoding", "x-envoy-original-dst-host"] {
            assert_eq!(ApiKeyPlacement::parse(header, ""), Err(PlacementError::Reserved), "{header}");
        }
        for prefix in ["Bearer\t", "a\r\nb: c", "é", "\0"] {
            assert_eq!(ApiKeyPlacement::parse("x-key", prefix), Err(PlacementError::Prefix), "{prefix:?}");
        }
    }
}
