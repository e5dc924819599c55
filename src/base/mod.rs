//! What every floor stands on: the two clocks, secrets that cannot be printed, and faults with their place.

mod clock;
mod expiry;
mod fault;
mod fingerprint;
mod secret;

pub use clock::{Clock, ManualClock, Now, SystemClock, UnixTime};
pub use expiry::Expiry;
pub use fault::{Fault, Place, Severity};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use secret::{Secret, SecretBytes};
