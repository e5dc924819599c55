//! Where an API key goes.

/// Header and prefix of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyPlacement {
    /// Lower-case header name.
    pub header: String,
    /// What stands before the key, blank included (`Bearer `).
    pub prefix: String,
}

impl ApiKeyPlacement {
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
