//! What counts as multi-factor authentication.

use std::time::Duration;

/// A rule about `amr`, `acr` and `auth_time`. A provider with `mfa_required` has one, already merged with the global one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaRule {
    /// Any of these in `amr` satisfies, and so do two different factor classes of RFC 8176 when `mfa` is among them.
    pub amr: Vec<String>,
    /// Any of these as `acr` satisfies too. In order of preference: the challenge names them in this order.
    pub acr_values: Vec<String>,
    /// How old `auth_time` may be.
    pub max_age: Option<Duration>,
}
