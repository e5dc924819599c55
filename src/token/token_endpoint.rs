//! Where an entry's tokens are obtained: as configured, or as the issuer's discovery document says.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::{Leg, Legs, Origin, Outward, SourceError, TokenEndpoint};
use crate::outbound;

/// How long a discovery document is believed without another look.
const LIFE: Duration = Duration::from_secs(3_600);

/// The endpoint, found out when it is needed.
#[derive(Debug)]
pub(super) struct Endpoint {
    settings: TokenEndpoint,
    found: Mutex<Option<Found>>,
}

#[derive(Clone, Debug)]
struct Found {
    url: Url,
    /// None once something spoke against it.
    until: Option<Instant>,
}

impl Endpoint {
    pub(super) fn new(settings: TokenEndpoint) -> Self {
        Self { settings, found: Mutex::default() }
    }

    /// Where it is. A document that cannot be had leaves what the last one said.
    pub(super) async fn url(&self, outward: &Outward, legs: &mut Legs) -> Result<Url, SourceError> {
        let issuer = match &self.settings {
            TokenEndpoint::At(url) => return Ok(url.clone()),
            TokenEndpoint::Of { issuer } => issuer,
        };
        let began = outward.clock.now();
        let last = self.found().clone();
        if let Some(Found { url, until: Some(until) }) = &last
            && began.instant < *until
        {
            return Ok(url.clone());
        }
        let to = Url::parse(issuer).map_or_else(|_| Origin::local(), |url| Origin::of(&url));
        let fetched = outbound::token_endpoint(&outward.http, issuer).await;
        let took = outward.clock.now().instant.saturating_duration_since(began.instant);
        let leg = Leg {
            name: "discovery",
            hop: None,
            to: to.clone(),
            took,
            lives: None,
            succeeded: fetched.is_ok(),
        };
        legs.push(leg);
        match (fetched, last) {
            (Ok(url), _) => {
                *self.found() = Some(Found { url: url.clone(), until: Some(began.instant + LIFE) });
                Ok(url)
            }
            (Err(_), Some(last)) => Ok(last.url),
            (Err(error), None) => Err(SourceError::new("discovery", Some(to), outward.unreached(error))),
        }
    }

    /// An exchange there failed: it may have moved.
    pub(super) fn doubt(&self) {
        if let Some(found) = &mut *self.found() {
            found.until = None;
        }
    }

    /// The issuer that has to have issued the tokens, where one is configured.
    pub(super) fn issuer(&self) -> Option<&str> {
        match &self.settings {
            TokenEndpoint::At(_) => None,
            TokenEndpoint::Of { issuer } => Some(issuer),
        }
    }

    /// Its origin, as far as it is known.
    pub(super) fn origin(&self) -> Origin {
        match (&self.settings, &*self.found()) {
            (TokenEndpoint::At(url), _) | (TokenEndpoint::Of { .. }, Some(Found { url, .. })) => {
                Origin::of(url)
            }
            (TokenEndpoint::Of { issuer }, None) => {
                Url::parse(issuer).map_or_else(|_| Origin::local(), |url| Origin::of(&url))
            }
        }
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
