//! What counts as multi-factor authentication.

use std::time::Duration;

use crate::base::UnixTime;
use crate::identity::AuthContext;

/// How far the issuer's clock may be ahead of ours, and how long a token may take from the login to us.
const LEEWAY: Duration = Duration::from_secs(60);

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

/// What a method proves. Two methods of one class are one factor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FactorClass {
    Knowledge,
    Possession,
    Inherence,
}

impl MfaRule {
    /// Whether the caller authenticated with enough. A rule without any value is never satisfied.
    pub(super) fn is_strong(&self, context: &AuthContext) -> bool {
        let listed = |wanted: &[String], had: &[Box<str>]| {
            had.iter().any(|had| wanted.iter().any(|wanted| **wanted == **had))
        };
        listed(&self.amr, &context.amr)
            || listed(&self.acr_values, &context.acr)
            || (self.amr.iter().any(|wanted| wanted == "mfa") && has_two_factors(&context.amr))
    }

    /// Whether the caller authenticated lately enough. Without `auth_time` nobody knows, and a time in the future is no
    /// time at all: both are not.
    pub(super) fn is_fresh(&self, context: &AuthContext, now: UnixTime) -> bool {
        let Some(max_age) = self.max_age else { return true };
        context.auth_time.is_some_and(|at| at <= now.plus(LEEWAY) && now <= at.plus(max_age).plus(LEEWAY))
    }
}

fn has_two_factors(amr: &[Box<str>]) -> bool {
    let mut classes = amr.iter().filter_map(|method| FactorClass::of(method));
    classes.next().is_some_and(|first| classes.any(|class| class != first))
}

impl FactorClass {
    /// RFC 8176 section 2. `mca`, `rba`, `geo`, `wia`, `user` say how it was decided or delivered, not what was proved.
    fn of(method: &str) -> Option<Self> {
        match method {
            "pwd" | "pin" | "kba" => Some(Self::Knowledge),
            "otp" | "hwk" | "swk" | "sc" | "sms" | "tel" | "pop" => Some(Self::Possession),
            "face" | "fpt" | "iris" | "retina" | "vbm" => Some(Self::Inherence),
            _ => None,
        }
    }
}
