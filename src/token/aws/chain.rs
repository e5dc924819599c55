//! The hops of a role chain before its last one, each kept and renewed like any token.

use std::fmt;
use std::sync::Arc;

use crate::base::Fingerprint;
use crate::cache::{Availability, Failure as _, Held, Rejection};
use crate::credential::{AwsKeys, Credential};
use crate::token::{Legs, Outward, SourceError, TokenEntry, TokenSource, TokenValue};

/// Makes hops: kept ones for the server, others that are obtained each time.
pub struct Chain(Option<Box<Keep>>);

/// Makes an entry of a source and of how many hops lie before it.
type Keep = dyn Fn(Arc<dyn TokenSource>, usize) -> Arc<TokenEntry> + Send + Sync;

/// One hop: whose keys ask for the next role.
#[derive(Debug)]
pub enum Hop {
    /// Obtained each time.
    Direct(Arc<dyn TokenSource>),
    /// Kept and renewed.
    Kept(Arc<TokenEntry>),
}

/// The keys of a hop.
#[derive(Debug)]
pub(super) struct HopKeys {
    pub(super) keys: AwsKeys,
    /// Tells them from others, where they are kept.
    pub(super) id: Option<Fingerprint>,
}

impl Chain {
    /// Every hop is obtained when it is needed.
    #[must_use]
    pub fn direct() -> Self {
        Self(None)
    }

    /// Every hop is kept by what `keep` makes of its source and of how many lie before it.
    #[must_use]
    pub fn kept(
        keep: impl Fn(Arc<dyn TokenSource>, usize) -> Arc<TokenEntry> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Box::new(keep)))
    }

    /// A hop on `source`, with `depth` hops before it.
    #[must_use]
    pub fn hop(&self, source: Arc<dyn TokenSource>, depth: usize) -> Hop {
        match &self.0 {
            None => Hop::Direct(source),
            Some(keep) => Hop::Kept(keep(source, depth)),
        }
    }
}

impl Hop {
    /// The keys of this hop, good for one more exchange. Where none can be obtained, the last ones are, until they end.
    ///
    /// # Errors
    /// [`SourceError`] of the hop, or of one before it.
    pub(super) async fn keys(&self, outward: &Outward, legs: &mut Legs) -> Result<HopKeys, SourceError> {
        let entry = match self {
            Self::Direct(source) => {
                return match source.obtain(legs).await?.value {
                    TokenValue::Keys { keys, .. } => Ok(HopKeys { keys, id: None }),
                    TokenValue::Bearer(_) => Err(SourceError::broken()),
                };
            }
            Self::Kept(entry) => entry,
        };
        if let Ok(held) = entry.with(outward.clock.now(), taken) {
            return held.ok_or_else(SourceError::broken);
        }
        let renewed = entry.renewed_telling(|_part| ()).await;
        match entry.handle().with_last_good(outward.clock.now(), taken) {
            Ok(held) => held.ok_or_else(SourceError::broken),
            Err(Availability::Never | Availability::Expired | Availability::Aging) => match renewed {
                Err(setback) => Err(setback.error),
                Ok(()) => Err(SourceError::over()),
            },
        }
    }

    /// STS does not take the keys `id` any more. Whether other ones are on their way.
    pub(super) fn reject(&self, id: Option<Fingerprint>) -> bool {
        match (self, id) {
            (Self::Kept(entry), Some(id)) => {
                matches!(entry.reject(id), Rejection::Renewing | Rejection::NotCurrent)
            }
            _ => false,
        }
    }
}

fn taken(held: &Held<Credential>) -> Option<HopKeys> {
    match &held.value {
        Credential::Signer(signer) => Some(HopKeys { keys: signer.keys().clone(), id: Some(held.id) }),
        Credential::Lines(_) => None,
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
}
