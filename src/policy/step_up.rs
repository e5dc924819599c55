//! The step-up challenge of RFC 9470.

use std::time::Duration;

/// What the caller has to reach. Becomes one `WWW-Authenticate` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    /// Wanted `acr` values in order of preference; may be empty.
    pub acr_values: Vec<String>,
    /// Wanted greatest age of the authentication.
    pub max_age: Option<Duration>,
}

impl StepUp {
    /// The value of `WWW-Authenticate` (RFC 9470 section 3), one line, quoted strings escaped.
    #[must_use]
    pub fn www_authenticate(&self) -> String {
        todo!()
    }
}
