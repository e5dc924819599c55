//! The decision, from the caller and the provider's rule alone.

use thiserror::Error;

use super::step_up::Lacking;
use super::{MfaRule, Permit, StepUp};
use crate::base::UnixTime;
use crate::identity::{Caller, PrincipalKind};

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
pub fn evaluate<'a>(rule: Option<&MfaRule>, caller: &'a Caller, now: UnixTime) -> Decision<'a> {
    let Some(rule) = rule else { return Decision::Permit(Permit::new(caller)) };
    // Whatever its token says: an `amr` in a workload's token is not a second factor of anybody.
    match caller.principal.principal().kind {
        PrincipalKind::Person => {}
        PrincipalKind::Workload => return Decision::Refuse(Refused::MfaNotPossible),
    }
    let context = caller.principal.auth_context();
    let lacking = match (rule.is_strong(context), rule.is_fresh(context, now)) {
        (true, true) => return Decision::Permit(Permit::new(caller)),
        (true, false) => Lacking::Freshness,
        (false, _) => Lacking::Strength,
    };
    Decision::Challenge(StepUp { lacking, acr_values: rule.acr_values.clone(), max_age: rule.max_age })
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
