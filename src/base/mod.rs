//! What every floor stands on: the two clocks, secrets that cannot be printed, and faults with their place.

mod clock;
mod fault;
mod secret;

pub use clock::{Clock, ManualClock, Now, SystemClock, UnixTime};
pub use fault::{Fault, Place, Severity};
pub use secret::{Secret, SecretBytes};
