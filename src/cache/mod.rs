//! Values that end and are renewed before they do: one exchange at a time for each, the last good one served meanwhile.
//!
//! ```text
//! request ──with──> Handle            no lock, no wait: what is there and may be used
//!    │ nothing there
//!    └──renewed──> Entry ──> SingleFlight: one exchange, whose result everybody shares
//!                    ▲          │ spawned on the background runtime
//! Refresher ──due────┘          ▼
//! (one heap of deadlines)     Source: obtains a new value
//! ```
//!
//! Nothing here knows what a token is.

mod backoff;
mod entry;
mod exchange;
mod handle;
mod key;
mod keyed;
mod lanes;
mod policy;
mod refresher;
mod single_flight;
mod sync;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use backoff::{Retry, chance};
pub use entry::{DEADLINE, Entry, Rejection};
pub use exchange::{
    Exchange, Failure, Observer, Obtained, Obtaining, Outcome, Part, Reason, Setback, Source,
};
pub use handle::{Availability, Handle, Held, Marked, Provenance};
pub use key::CacheKey;
pub use keyed::Keyed;
pub use policy::{Policy, RefreshPolicy};
pub use refresher::{Refresher, Rest};
