//! May this caller use this provider: permit, challenge or refuse.

mod evaluate;
mod permit;
mod rule;
mod step_up;

pub use evaluate::{Decision, Refused, evaluate};
pub use permit::Permit;
pub use rule::MfaRule;
pub use step_up::{Lacking, StepUp};
