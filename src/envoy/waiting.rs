//! Requests that wait: so many in all, and a share of them for each thing that is waited for. Beyond it a request is refused at
//! once, so that an identity provider that hangs costs a bounded amount of memory, and the cold paths of the others none of
//! their places.

use std::sync::Arc;

use crate::base::{Quota, Taken};
use crate::pipeline::Wait;
use crate::telemetry::{ActiveWait, Metrics};

/// One thing has at most this part of the places.
const SHARE: usize = 4;

/// What is waited for. Positions are those of a generation of the configuration: another one's are other things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Queue {
    /// The keys of an issuer.
    Keys { generation: u64, issuer: usize },
    /// The credential of a provider.
    Credential { generation: u64, provider: usize },
    /// Room for a body.
    Room,
}

/// The places.
#[derive(Debug)]
pub(super) struct Waiting {
    places: Quota<Queue>,
    metrics: Arc<Metrics>,
}

/// A request's place, as long as it waits.
#[derive(Debug)]
pub(super) struct Waits {
    _place: Taken<Queue>,
    _counted: ActiveWait,
}

impl Queue {
    /// What `wait` is about, in this generation.
    pub(super) fn of(wait: Wait, generation: u64) -> Self {
        match wait {
            Wait::KeySet { issuer } => Self::Keys { generation, issuer },
            Wait::Credential { provider } => Self::Credential { generation, provider },
            Wait::Body { .. } => Self::Room,
        }
    }
}

impl Waiting {
    /// Places for `most` requests.
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self { places: Quota::new(most, most.div_ceil(SHARE)), metrics }
    }

    /// A place in `queue`, or none: then the request is to be refused.
    pub(super) fn enter(&self, queue: Queue) -> Option<Waits> {
        let place = self.places.take(queue).ok()?;
        Some(Waits { _place: place, _counted: self.metrics.wait() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(provider: usize) -> Queue {
        Queue::of(Wait::Credential { provider }, 1)
    }

    #[test]
    fn one_provider_s_crowd_leaves_places_to_the_others() {
        let waiting = Waiting::new(8, Arc::default());
        let crowd: Vec<_> = (0..10).map_while(|_| waiting.enter(credential(0))).collect();
        assert_eq!(crowd.len(), 2);
        let others: Vec<_> = [
            credential(1),
            Queue::of(Wait::KeySet { issuer: 0 }, 1),
            Queue::of(Wait::Body { provider: 0, length: None }, 1),
            // The same position of the next generation is another provider.
            Queue::of(Wait::Credential { provider: 0 }, 2),
        ]
        .into_iter()
        .filter_map(|queue| waiting.enter(queue))
        .collect();
        assert_eq!(others.len(), 4);
        drop(crowd);
        assert!(waiting.enter(credential(0)).is_some());
    }

    #[test]
    fn a_single_place_is_somebody_s() {
        let waiting = Waiting::new(1, Arc::default());
        let place = waiting.enter(credential(0)).unwrap();
        assert!(waiting.enter(credential(1)).is_none());
        drop(place);
        assert!(waiting.enter(credential(1)).is_some());
    }
}
