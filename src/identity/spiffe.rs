//! SPIFFE IDs, compared by trust domain and path segment, never by prefix of the text.
//!
//! The strict form of the SPIFFE ID specification, section 2: no percent-encoding, no user, port, query or fragment, no
//! empty or dot segment. The path of a workload's certificate is never empty (X.509-SVID, section 5.2).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

const SCHEME: &str = "spiffe://";
const MAX_ID: usize = 2048;
const MAX_TRUST_DOMAIN: usize = 255;

/// A trust domain: `[a-z0-9._-]`, 1 to 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomain(Arc<str>);

/// `spiffe://<trust domain>/<path>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    trust_domain: TrustDomain,
}

/// Why a text is no SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a SPIFFE ID")]
pub struct SpiffeIdError;

impl TrustDomain {
    /// Reads the bare name, `mesh.example`.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > MAX_TRUST_DOMAIN || !text.bytes().all(allowed) {
            return Err(SpiffeIdError);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The bare name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// Reads the URI of a workload.
    ///
    /// # Errors
    /// [`SpiffeIdError`]: nobody is known by this text.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID {
            return Err(SpiffeIdError);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError)?;
        let (trust_domain, path) = rest.split_once('/').ok_or(SpiffeIdError)?;
        if !path.split('/').all(is_segment) {
            return Err(SpiffeIdError);
        }
        Ok(Self { text: Arc::from(text), trust_domain: TrustDomain::parse(trust_domain)? })
    }

    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for it.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path, segment by segment; at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let start = SCHEME.len() + self.trust_domain.0.len() + 1;
        self.text.get(start..).unwrap_or_default().split('/')
    }
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spiffe_id_is_read_by_trust_domain_and_segment() {
        let id = SpiffeId::parse("spiffe://mesh.example/ns/prod/sa/Agent_1.a-b").unwrap();
        assert_eq!(id.trust_domain().as_str(), "mesh.example");
        assert_eq!(id.segments().collect::<Vec<_>>(), ["ns", "prod", "sa", "Agent_1.a-b"]);
        assert_eq!(id.to_string(), id.as_str());
        let evil = SpiffeId::parse("spiffe://mesh.example/ns/prod-evil").unwrap();
        assert_ne!(evil.segments().nth(1), Some("prod"));
    }

    #[test]
    fn a_text_with_another_reading_is_no_spiffe_id() {
        for text in [
            "",
            "spiffe://",
            "spiffe:///ns",
            "spiffe://mesh.example",
            "spiffe://mesh.example/",
            "spiffe://mesh.example/ns/",
            "spiffe://mesh.example//ns",
            "spiffe://mesh.example/./ns",
            "spiffe://mesh.example/ns/..",
            "spiffe://Mesh.example/ns",
            "SPIFFE://mesh.example/ns",
            "https://mesh.example/ns",
            "spiffe://user@mesh.example/ns",
            "spiffe://mesh.example:8443/ns",
            "spiffe://mesh.example/ns?x=1",
            "spiffe://mesh.example/ns#x",
            "spiffe://mesh.example/n%73",
            "spiffe://mesh.example/ns\0.evil",
            "spiffe://mesh.example/ns,URI=spiffe://evil/x",
            "spiffe://mesh.exämple/ns",
            "spiffe://mesh.example/nsé",
            " spiffe://mesh.example/ns",
        ] {
            assert_eq!(SpiffeId::parse(text), Err(SpiffeIdError), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        assert!(TrustDomain::parse(&"a".repeat(255)).is_ok());
        assert!(TrustDomain::parse(&"a".repeat(256)).is_err());
        let id = |length: usize| format!("spiffe://a/{}", "b".repeat(length - "spiffe://a/".len()));
        assert!(SpiffeId::parse(&id(2048)).is_ok());
        assert!(SpiffeId::parse(&id(2049)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn what_is_put_together_comes_apart(domain in "[a-z0-9._-]{1,40}", path in "[A-Za-z0-9_-]{1,9}(/[A-Za-z0-9_-]{1,9}){0,5}") {
            let id = SpiffeId::parse(&format!("spiffe://{domain}/{path}")).unwrap();
            prop_assert_eq!(id.trust_domain().as_str(), domain);
            prop_assert_eq!(id.segments().collect::<Vec<_>>().join("/"), path);
        }
    }
}
