//! The decision, from the caller and the provider's rule alone.

use thiserror::Error;

use super::{MfaRule, Permit, StepUp};
use crate::base::UnixTime;
use crate::identity::Caller;

/// What policy says.
#[derive(Debug)]
pub enum Decision<'a> {
    /// Go on.
    Permit(Permit<'a>),
    /// Come back with a stronger or fresher authentication.
    Challenge(StepUp),
    /// No.
    Refuse(Refused),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// MFA is asked of a workload, which can never have it: a challenge would be a loop.
    #[error("a workload cannot pass MFA")]
    MfaNotPossible,
}

/// Decides. `rule` is none where the provider does not require MFA.
#[must_use]
pub fn evaluate<'a>(_rule: Option<&MfaRule>, _caller: &'a Caller, _now: UnixTime) -> Decision<'a> {
    todo!()
}
