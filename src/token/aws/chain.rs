//! The hops of a role chain before its last one, each kept and renewed like any token.

use std::fmt;
use std::sync::Arc;

use crate::cache::Failure as _;
use crate::credential::AwsKeys;
use crate::token::{Legs, SourceError, TokenEntry, TokenSource, TokenValue};

/// Makes hops: kept ones for the server, others that are obtained each time.
pub struct Chain(Option<Box<dyn Fn(Arc<dyn TokenSource>) -> Arc<TokenEntry> + Send + Sync>>);

/// One hop: whose keys ask for the next role.
#[derive(Debug)]
pub enum Hop {
    /// Obtained each time.
    Direct(Arc<dyn TokenSource>),
    /// Kept and renewed.
    Kept(Arc<TokenEntry>),
}

impl Chain {
    /// Every hop is obtained when it is needed.
    #[must_use]
    pub fn direct() -> Self {
        Self(None)
    }

    /// Every hop is kept by what `keep` makes of its source.
    #[must_use]
    pub fn kept(keep: impl Fn(Arc<dyn TokenSource>) -> Arc<TokenEntry> + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(keep)))
    }

    /// A hop on `source`.
    #[must_use]
    pub fn hop(&self, source: Arc<dyn TokenSource>) -> Hop {
        match &self.0 {
            None => Hop::Direct(source),
            Some(keep) => Hop::Kept(keep(source)),
        }
    }
}

impl Hop {
    /// The keys of this hop, good for one more exchange.
    ///
    /// # Errors
    /// [`SourceError`] of the hop, or of one before it.
    pub async fn keys(&self, legs: &mut Legs) -> Result<AwsKeys, SourceError> {
        match self {
            Self::Direct(source) => match source.obtain(legs).await?.value {
                TokenValue::Keys { keys, .. } => Ok(keys),
                TokenValue::Bearer(_) => Err(SourceError::broken()),
            },
            Self::Kept(_) => Err(SourceError::broken()),
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
}
