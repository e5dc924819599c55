//! What every floor stands on: the two clocks, secrets that cannot be printed, text of strangers that can, and
//! faults with their place.

mod clock;
mod expiry;
mod fault;
mod fingerprint;
mod rfc3339;
mod secret;
mod text;

pub use clock::{Clock, ManualClock, Now, SystemClock, UnixTime};
pub use expiry::Expiry;
pub use fault::{Fault, Place, Severity};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use rfc3339::rfc3339_millis;
pub use secret::{Secret, SecretBytes};
pub use text::{cut, is_unseen, printable};
