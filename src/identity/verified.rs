//! The proof that a caller was authenticated. Its constructor is not visible outside this room.

use std::sync::Arc;

use super::{AuthContext, Principal, SpiffeId};
use crate::base::UnixTime;

/// A principal whose token, certificate or downstream facts were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPrincipal {
    principal: Principal,
    auth_context: AuthContext,
    not_after: UnixTime,
}

/// The verified principal of one request, and the workload that speaks for it when a certificate came beside the token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<VerifiedPrincipal>,
    /// The certificate's SPIFFE ID, where the principal comes from a token.
    pub via: Option<SpiffeId>,
}

impl VerifiedPrincipal {
    /// Only what verified a token or a certificate may call this.
    pub(super) fn new(principal: Principal, auth_context: AuthContext, not_after: UnixTime) -> Self {
        Self { principal, auth_context, not_after }
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// How they authenticated.
    #[must_use]
    pub fn auth_context(&self) -> &AuthContext {
        &self.auth_context
    }

    /// The last second in which the proof holds: `exp` and the issuer's leeway; for a certificate, an hour after it
    /// was seen.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }
}
