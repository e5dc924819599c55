//! Which peer a connection is from, and how many it may have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::base::{Clock, Full, Quota, Taken};
use crate::config::Limits;
use crate::telemetry::{ConnectionLimit, Metrics, Throttle};

/// One who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PeerAddress {
    /// One host, or all behind one translated address.
    V4(Ipv4Addr),
    /// A network of 64 bits: a host has every address of its own (RFC 4291 section 2.5.1, RFC 7934).
    V6([u16; 4]),
    /// Whoever may open the socket: they have no addresses.
    Unix,
}

/// The connections that there are. Shared by all listeners.
pub struct Peers {
    places: Quota<PeerAddress>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    told: Throttle,
}

/// A connection's place, until it ends.
pub(super) type Admitted = Taken<PeerAddress>;

impl Peers {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let places = Quota::new(limits.max_connections, limits.max_peer_connections);
        Self { places, clock, metrics, told: Throttle::per_second(1) }
    }

    /// A place for a connection of `peer`, or none: then it is to be closed at once. Were it to wait instead, an Envoy would take
    /// it for open, and send requests that nobody answers, to this server and to no other.
    pub(super) fn admit(&self, peer: PeerAddress) -> Option<Admitted> {
        let limit = match self.places.take(peer) {
            Ok(place) => return Some(place),
            Err(Full::All) => ConnectionLimit::All,
            Err(Full::Each) => ConnectionLimit::Peer,
        };
        self.metrics.connection_refused(limit);
        if let Some(suppressed) = self.told.pass(self.clock.now().instant) {
            tracing::warn!(%peer, limit = limit.as_str(), suppressed, "a connection is refused: there are too many");
        }
        None
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("places", &self.places).finish_non_exhaustive()
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        // A listener on [::] sees IPv4 as ::ffff:a.b.c.d, which is one network for all of them.
        match address.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6([a, b, c, d]) => write!(f, "{}/64", Ipv6Addr::new(*a, *b, *c, *d, 0, 0, 0, 0)),
            Self::Unix => f.write_str("a Unix socket"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemClock;

    fn peer(address: &str) -> String {
        PeerAddress::from(address.parse::<SocketAddr>().unwrap()).to_string()
    }

    #[test]
    fn a_peer_is_an_address_or_a_network_of_64_bits() {
        for (address, expected) in [
            ("192.0.2.1:1", "192.0.2.1"),
            ("192.0.2.1:2", "192.0.2.1"),
            ("192.0.2.2:1", "192.0.2.2"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"),
            ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::1]:1", "2001:db8:1:2::/64"),
            ("[2001:db8:1:3::1]:1", "2001:db8:1:3::/64"),
            ("[::1]:1", "::/64"),
        ] {
            assert_eq!(peer(address), expected, "{address}");
        }
    }

    #[test]
    fn a_peer_with_too_many_is_refused_and_another_is_not() {
        let limits = Limits { max_connections: 3, max_peer_connections: 2, ..Limits::default() };
        let metrics = Arc::new(Metrics::default());
        let peers = Peers::new(&limits, Arc::new(SystemClock), Arc::clone(&metrics));
        let (one, other) = (PeerAddress::V4(Ipv4Addr::LOCALHOST), PeerAddress::Unix);
        let held = [peers.admit(one).unwrap(), peers.admit(one).unwrap()];
        assert!(peers.admit(one).is_none());
        let third = peers.admit(other).unwrap();
        assert!(peers.admit(other).is_none());
        let text = metrics.render();
        for limit in ["max_peer_connections", "max_connections"] {
            let line = format!("bouncer_connections_refused_total{{limit=\"{limit}\"}} 1\n");
            assert!(text.contains(&line), "{text}");
        }
        drop((held, third));
        assert!(peers.admit(one).is_some());
    }
}
