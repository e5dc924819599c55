//! The straight way of one request, and the snapshot of everything it is decided with.

mod error;
mod outcome;
mod run;
mod snapshot;

pub use error::{Cause, Code, Owner};
pub use outcome::{Outcome, Refusal, Wait};
pub use run::{Patience, run};
pub use snapshot::Snapshot;
