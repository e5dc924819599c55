//! The proof that policy was asked and said yes. `credential::attach` demands it.

use crate::identity::Caller;

/// A permit for one request.
#[derive(Debug)]
pub struct Permit<'a> {
    caller: &'a Caller,
}

impl<'a> Permit<'a> {
    /// Only `evaluate` may call this.
    pub(super) fn new(caller: &'a Caller) -> Self {
        Self { caller }
    }

    /// Whose permit it is.
    #[must_use]
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }
}
