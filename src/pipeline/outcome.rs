//! What becomes of a request.

use std::time::Duration;

use super::{Cause, Code, Patience};
use crate::base::Fingerprint;
use crate::credential::Signed;
use crate::policy::StepUp;
use crate::provider::Dialect;
use crate::request::{HeaderMutation, VerifiedFacts};

/// What a request can wait for before it is decided once more, with the patience that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A refresh of the keys of the issuer at this index.
    KeySet {
        /// Position in `callers.jwt`.
        issuer: usize,
    },
    /// The token of the provider at this index.
    Credential {
        /// Position in `providers`.
        provider: usize,
    },
    /// The body, of a request that everything else is there for: to be signed.
    Body {
        /// Position in `providers`.
        provider: usize,
        /// How long it says that it is.
        length: Option<usize>,
    },
}

impl Wait {
    /// What the request may wait for after this, having had `patience` before.
    #[must_use]
    pub const fn then(self, patience: Patience) -> Patience {
        match self {
            Self::KeySet { .. } => Patience::Keys,
            Self::Credential { .. } => Patience::Spent,
            Self::Body { .. } => patience,
        }
    }
}

/// The answer, before it has a wire form.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// Let it go with the provider's credential on it.
    Attach {
        /// Index of the provider.
        provider: usize,
        /// Which credential, to know it again when the provider refuses it.
        credential: Fingerprint,
        /// Caller's credentials off, provider's on.
        mutation: HeaderMutation<'a>,
        /// What was signed, where the credential is a signature.
        signed: Option<Box<Signed>>,
    },
    /// Downstream half: let it go without the caller's credentials, the facts in dynamic metadata.
    Verified {
        /// Who calls.
        facts: Box<VerifiedFacts>,
        /// Caller's credentials off.
        mutation: HeaderMutation<'a>,
    },
    /// Nobody's request, and the configuration says to leave those alone.
    Pass,
    /// No.
    Refuse(Refusal),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What happened.
    pub cause: Cause,
    /// The provider whose request it would have been.
    pub provider: Option<usize>,
    /// Whose error format the caller's SDK reads.
    pub dialect: Dialect,
    /// What the caller has to reach, where that would help.
    pub step_up: Option<StepUp>,
    /// When another try may succeed, where that is known better than by its code.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal in the format that most SDKs read, for requests that belong to no provider yet.
    #[must_use]
    pub fn early(cause: impl Into<Cause>) -> Self {
        Self {
            cause: cause.into(),
            provider: None,
            dialect: Dialect::OpenAi,
            step_up: None,
            retry_after: None,
        }
    }

    /// `WWW-Authenticate`, where the status is 401 (RFC 6750 section 3, RFC 9470 section 3).
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        match (self.cause.code(), &self.step_up) {
            (Code::MissingToken, _) => Some("Bearer".to_owned()),
            (Code::InvalidToken, _) => Some("Bearer error=\"invalid_token\"".to_owned()),
            (Code::InsufficientUserAuthentication, Some(step_up)) => Some(step_up.www_authenticate()),
            _ => None,
        }
    }
}
