//! What every floor stands on: the two clocks, secrets that cannot be printed, text of strangers that can,
//! faults with their place, quotas, counters that cores do not share, work that requests go before.

mod background;
mod clock;
mod expiry;
mod fault;
mod fingerprint;
mod quota;
mod rfc3339;
mod secret;
mod striped;
mod text;

pub use background::{behind_requests, let_requests_pass};
pub use clock::{Clock, ManualClock, Now, SystemClock, UnixTime};
pub use expiry::Expiry;
pub use fault::{Fault, Place, Severity};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use quota::{Full, Quota, Taken};
pub use rfc3339::rfc3339_millis;
pub use secret::{Secret, SecretBytes};
pub use striped::{Striped, count_as_worker};
pub use text::{cut, is_unseen, printable};
