//! What is recorded. Holds names, times and fingerprints; never a secret.

use std::time::Duration;

use crate::base::{Fingerprint, UnixTime};
use crate::cache::Reason;
use crate::provider::{AuthType, ProviderKind};
use crate::token::Fault;

/// Whose credential an event speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The entry's name.
    pub provider: &'a str,
    /// Its kind.
    pub kind: ProviderKind,
    /// Its auth type.
    pub auth: AuthType,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Another credential is in use.
    Rotated(Rotated<'a>),
    /// An attempt to get another one failed.
    RefreshFailed(RefreshFailed),
}

/// Another credential.
#[derive(Clone, Debug)]
pub struct Rotated<'a> {
    /// Why it was obtained.
    pub reason: Reason,
    /// The one before; none at first.
    pub old: Option<Fingerprint>,
    /// The one that is in use from now on.
    pub new: Fingerprint,
    /// The end of the one before.
    pub old_expires_at: Option<UnixTime>,
    /// The end of the new one.
    pub new_expires_at: Option<UnixTime>,
    /// What the new one is good for, where its issuer says so.
    pub scopes: &'a [Box<str>],
    /// The token source's name, or `secret`.
    pub source: &'static str,
    /// The role of AWS whose keys these are.
    pub role: Option<&'a str>,
}

/// An attempt that failed.
#[derive(Clone, Debug)]
pub struct RefreshFailed {
    /// Why it was made.
    pub reason: Reason,
    /// What went wrong, a code of a closed set.
    pub error: &'static str,
    /// Who has to do something.
    pub fault: Fault,
    /// Attempts that failed in a row, this one included.
    pub attempt: u32,
    /// When the next one is made, if nothing asks for it sooner; none: when somebody changes something.
    pub next_in: Option<Duration>,
    /// The end of the credential that stays in use.
    pub expires_at: Option<UnixTime>,
}

impl Event<'_> {
    /// Every name, in the order of [`Event::index`].
    pub const NAMES: [&'static str; 2] = ["AI_PROVIDER_TOKEN_ROTATED", "AI_PROVIDER_TOKEN_REFRESH_FAILED"];

    /// Its place in [`Event::NAMES`].
    #[must_use]
    pub const fn index(&self) -> usize {
        match self {
            Self::Rotated(_) => 0,
            Self::RefreshFailed(_) => 1,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let [rotated, refresh_failed] = Self::NAMES;
        match self {
            Self::Rotated(_) => rotated,
            Self::RefreshFailed(_) => refresh_failed,
        }
    }
}
