//! How many exchanges may run at once towards one place, so that a thousand providers that start together do not fall upon
//! one identity provider, and one that hangs holds up nobody but its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At once to one place because of the clock.
const SCHEDULED: usize = 16;
/// At once to one place because a request waits.
const DEMANDED: usize = 64;

/// The lanes to all places, by origin.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<String, Arc<Lane>>>);

/// The lane to one place.
#[derive(Debug)]
pub(super) struct Lane {
    scheduled: Arc<Semaphore>,
    demanded: Arc<Semaphore>,
}

/// Who wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// The clock.
    Scheduled,
    /// A request, or somebody at a terminal.
    Demanded,
}

impl Lanes {
    /// The lane to `origin`, the same for everybody who goes there.
    pub(super) fn to(&self, origin: &str) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Lanes that nobody holds any more are of a configuration that is gone.
        if lanes.len() >= 64 && !lanes.contains_key(origin) {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(origin.to_owned()).or_insert_with(|| Arc::new(Lane::new())))
    }
}

impl Lane {
    fn new() -> Self {
        Self { scheduled: Arc::new(Semaphore::new(SCHEDULED)), demanded: Arc::new(Semaphore::new(DEMANDED)) }
    }

    /// A place on the lane, for as long as it is held. None never happens: the lane is not closed.
    pub(super) async fn enter(&self, urgency: Urgency) -> Option<OwnedSemaphorePermit> {
        let places = match urgency {
            Urgency::Scheduled => &self.scheduled,
            Urgency::Demanded => &self.demanded,
        };
        Arc::clone(places).acquire_owned().await.ok()
    }
}
