//! The credentials in use, one slot a provider; taking one costs no lock and no wait.

use std::sync::Arc;
use std::time::Duration;

use super::{SourceError, Taken, Tally, Unavailable};
use crate::base::{FingerprintKey, Now};
use crate::cache::{Availability, Entry, Handle, Held, Marked};
use crate::credential::{Credential, access_key_id_of};
use crate::request::Headers;

/// A token that is renewed.
pub type TokenEntry = Entry<Credential, SourceError>;

/// One provider's credential.
#[derive(Clone, Debug)]
pub enum Slot {
    /// An API key: whoever sees its secret change swaps it.
    Fixed(Arc<Handle<Credential>>),
    /// A token.
    Renewed(Arc<TokenEntry>),
}

/// The slots in the order of the configuration, each with its counters.
#[derive(Debug)]
pub struct Store {
    slots: Box<[(Slot, Arc<Tally>)]>,
    fingerprints: FingerprintKey,
}

impl Slot {
    /// The value in use.
    #[must_use]
    pub fn handle(&self) -> &Handle<Credential> {
        match self {
            Self::Fixed(handle) => handle,
            Self::Renewed(entry) => entry.handle(),
        }
    }

    /// Whether a request can have a credential: a key that has not ended, or a token that can be asked for.
    #[must_use]
    pub fn is_usable(&self, now: Now) -> bool {
        match self {
            Self::Fixed(_) => self.handle().held().is_some_and(|held| !held.is_over(now)),
            // An identity provider that is down is no reason to take every replica out: its outage would be ours.
            Self::Renewed(_) => true,
        }
    }

    /// Why the token cannot be renewed right now; none while it can, and for a key.
    #[must_use]
    pub fn trouble(&self) -> Option<SourceError> {
        match self {
            Self::Fixed(_) => None,
            Self::Renewed(entry) => entry.setback().map(|setback| setback.error),
        }
    }

    fn with<R>(
        &self,
        now: Now,
        take: impl FnOnce(&Held<Credential>) -> R,
    ) -> Result<(R, Taken), Unavailable> {
        match self {
            Self::Fixed(handle) => Ok((handle.with_last_good(now, take)?, Taken::Hit)),
            Self::Renewed(entry) => {
                let mut take = Some(take);
                let taken = entry.with(now, |held| take.take().map(|take| take(held)));
                match (taken, take) {
                    (Ok(Some(taken)), _) => Ok((taken, Taken::Hit)),
                    // A fresh failure is the answer: another exchange would only repeat it.
                    (_, Some(take)) if entry.setback().is_some() => {
                        Ok((entry.handle().with_last_good(now, take)?, Taken::Stale))
                    }
                    _ => Err(Unavailable::Awaited),
                }
            }
        }
    }
}

impl Store {
    /// A store of these slots, with counters of its own. Their credentials have their names from `fingerprints`.
    #[must_use]
    pub fn new(slots: impl IntoIterator<Item = Slot>, fingerprints: FingerprintKey) -> Self {
        Self::counting(slots.into_iter().map(|slot| (slot, Arc::default())), fingerprints)
    }

    /// The same, which counts with these counters.
    #[must_use]
    pub fn counting(
        slots: impl IntoIterator<Item = (Slot, Arc<Tally>)>,
        fingerprints: FingerprintKey,
    ) -> Self {
        Self { slots: slots.into_iter().collect(), fingerprints }
    }

    /// The slot of the provider at `index`.
    #[must_use]
    pub fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index).map(|(slot, _)| slot)
    }

    /// Takes the credential of the provider at `index`.
    ///
    /// # Errors
    /// [`Unavailable::Awaited`]: wait for [`Store::renewed`], then take [`Store::with_last_good`]. The others: 503 for the
    /// caller, a log line and a metric for the operator.
    pub fn with<R>(
        &self,
        index: usize,
        now: Now,
        take: impl FnOnce(&Held<Credential>) -> R,
    ) -> Result<R, Unavailable> {
        let (slot, tally) = self.slots.get(index).ok_or(Unavailable::Never)?;
        let (result, taken) = slot.with(now, take)?;
        tally.count(taken);
        Ok(result)
    }

    /// Takes what is there, as long as it has not ended. Not counted: whoever does not ask for a fresh one has waited, which was.
    ///
    /// # Errors
    /// [`Unavailable`], never [`Unavailable::Awaited`].
    pub fn with_last_good<R>(
        &self,
        index: usize,
        now: Now,
        take: impl FnOnce(&Held<Credential>) -> R,
    ) -> Result<R, Unavailable> {
        Ok(self.slot(index).ok_or(Unavailable::Never)?.handle().with_last_good(now, take)?)
    }

    /// Has the token of the provider at `index` obtained. Whatever comes of it, the store tells.
    pub async fn renewed(&self, index: usize) {
        if let Some((Slot::Renewed(entry), tally)) = self.slots.get(index) {
            // The failure is in the entry's observer, its record and the next look at the store.
            let _told_elsewhere = entry.renewed_telling(|part| tally.count(part.into())).await;
        }
    }

    /// When the credential of the provider at `index` may be there again; none where nobody knows.
    #[must_use]
    pub fn retry_after(&self, index: usize, now: Now) -> Option<Duration> {
        match self.slot(index) {
            Some(Slot::Renewed(entry)) => {
                entry.setback().map(|setback| setback.next.saturating_duration_since(now.instant))
            }
            _ => None,
        }
    }

    /// Whether some provider's credential, or the one before it, stands among `headers`: what an earlier attempt attached,
    /// seen again by an upstream filter on a retry. They are looked for in the headers of these `names`.
    #[must_use]
    pub fn any_is_on(&self, headers: &Headers<'_>, names: &[String]) -> bool {
        headers.iter().filter(|line| names.iter().any(|name| line.is(name))).any(|line| {
            let id = self.fingerprints.of(line.value);
            self.slots.iter().any(|(slot, _)| slot.handle().is_or_was(id))
                || access_key_id_of(line.value).is_some_and(|id| self.signs_as(id))
        })
    }

    /// Whether some provider's requests are signed with the keys of this id, or were before the last rotation.
    fn signs_as(&self, access_key_id: &str) -> bool {
        self.slots.iter().any(|(slot, _)| slot.handle().is_or_was_marked(access_key_id))
    }
}

/// Of keys that sign, their id is in each signature.
impl Marked for Credential {
    fn mark(&self) -> Option<&str> {
        match self {
            Self::Signer(signer) => Some(&signer.keys().access_key_id),
            Self::Lines(_) => None,
        }
    }
}

impl From<Availability> for Unavailable {
    fn from(availability: Availability) -> Self {
        match availability {
            Availability::Never => Self::Never,
            Availability::Expired => Self::Expired,
            Availability::Aging => Self::Awaited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::credential::{AwsKeys, Signer};

    fn fingerprints() -> FingerprintKey {
        FingerprintKey::new(&Secret::new(b"of these tests".to_vec()))
    }

    fn put(handle: &Handle<Credential>, access_key_id: &str, secret: &str) {
        let keys = AwsKeys {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(secret.to_owned()),
            session_token: None,
        };
        let credential = Credential::Signer(Box::new(Signer::new(keys, None, Arc::default())));
        let id = credential.fingerprint(&fingerprints());
        handle.put(Held::new(credential, id, None));
    }

    #[test]
    fn a_signature_with_the_keys_before_the_last_rotation_is_still_ours() {
        let handle = Arc::new(Handle::default());
        let store = Store::new([Slot::Fixed(Arc::clone(&handle))], fingerprints());
        let is_ours = |id: &str| {
            let value =
                format!("AWS4-HMAC-SHA256 Credential={id}/20260101/us-east-1/bedrock/aws4_request, S=0");
            let mut headers = Headers::default();
            headers.push(b"authorization", value.as_bytes());
            store.any_is_on(&headers, &["authorization".to_owned()])
        };
        assert!(!is_ours("AKIDA"));
        put(&handle, "AKIDA", "a");
        assert!(is_ours("AKIDA") && !is_ours("AKIDB"));
        put(&handle, "AKIDB", "mistyped");
        // Mended, and obtained once more: the keys before are still those of the other id.
        put(&handle, "AKIDB", "b");
        put(&handle, "AKIDB", "b");
        assert!(is_ours("AKIDA") && is_ours("AKIDB"));
        put(&handle, "AKIDC", "c");
        assert!(!is_ours("AKIDA") && is_ours("AKIDB") && is_ours("AKIDC"), "one before is known");
    }
}
