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
    /// One of a host's: it may have more, and neighbours whose addresses begin alike.
    V6(Ipv6Addr),
    /// Whoever may open the socket: they have no addresses.
    Unix,
}

/// The first 64 bits of an IPv6 address: one host that takes as many addresses as it likes (RFC 7934), or many neighbours, as the
/// pods of a node or of a cluster are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network([u16; 4]);

/// The connections that there are. Shared by all listeners.
pub struct Peers {
    places: Quota<PeerAddress>,
    networks: Quota<Network>,
    /// What a network's share comes from, to be named where it is full.
    network_limit: ConnectionLimit,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    told: Throttle,
}

/// A connection's place, until it ends.
#[derive(Debug)]
pub(super) struct Admitted {
    _place: Taken<PeerAddress>,
    _network: Option<Taken<Network>>,
}

/// A network has the places of so many addresses.
const ADDRESSES: usize = 16;

impl Peers {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let (all, each) = (limits.max_connections, limits.max_peer_connections);
        // A host that is alone in its network leaves room for others.
        let (addresses, most) = (each.saturating_mul(ADDRESSES), all.saturating_mul(3) / 4);
        let network_limit = if addresses > most { ConnectionLimit::All } else { ConnectionLimit::Peer };
        let networks = Quota::new(usize::MAX, addresses.min(most).max(each));
        Self {
            places: Quota::new(all, each),
            networks,
            network_limit,
            clock,
            metrics,
            told: Throttle::per_second(1),
        }
    }

    /// A place for a connection of `peer`, or none: then it is to be closed at once. Were it to wait instead, an Envoy would take
    /// it for open, and send requests that nobody answers, to this server and to no other.
    pub(super) fn admit(&self, peer: PeerAddress) -> Option<Admitted> {
        let network = match peer {
            PeerAddress::V6(address) => match self.networks.take(Network::of(address)) {
                Ok(network) => Some(network),
                Err(_) => return self.refuse(&Network::of(address), self.network_limit),
            },
            PeerAddress::V4(_) | PeerAddress::Unix => None,
        };
        match self.places.take(peer) {
            Ok(place) => Some(Admitted { _place: place, _network: network }),
            Err(Full::All) => self.refuse(&peer, ConnectionLimit::All),
            Err(Full::Each) => self.refuse(&peer, ConnectionLimit::Peer),
        }
    }

    fn refuse(&self, peer: &dyn fmt::Display, limit: ConnectionLimit) -> Option<Admitted> {
        self.metrics.connection_refused(limit);
        if let Some(suppressed) = self.told.pass(self.clock.now().instant) {
            tracing::warn!(%peer, limit = limit.as_str(), suppressed, "a connection is refused: there are too many");
        }
        None
    }
}

impl Network {
    fn of(address: Ipv6Addr) -> Self {
        let [a, b, c, d, ..] = address.segments();
        Self([a, b, c, d])
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("places", &self.places).finish_non_exhaustive()
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        // A listener on [::] sees IPv4 as ::ffff:a.b.c.d, which would be one network for all of them.
        match address.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => address.fmt(f),
            Self::Unix => f.write_str("a Unix socket"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemClock;

    fn peer(address: &str) -> PeerAddress {
        address.parse::<SocketAddr>().unwrap().into()
    }

    fn peers(max_connections: usize, max_peer_connections: usize) -> (Peers, Arc<Metrics>) {
        let limits = Limits { max_connections, max_peer_connections, ..Limits::default() };
        let metrics = Arc::new(Metrics::default());
        (Peers::new(&limits, Arc::new(SystemClock), Arc::clone(&metrics)), metrics)
    }

    #[test]
    fn a_peer_is_an_address() {
        for (address, expected) in [
            ("192.0.2.1:1", "192.0.2.1"),
            ("192.0.2.1:2", "192.0.2.1"),
            ("192.0.2.2:1", "192.0.2.2"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"),
            ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2:3:4:5:6"),
            ("[2001:db8:1:2::1]:1", "2001:db8:1:2::1"),
            ("[::1]:1", "::1"),
        ] {
            assert_eq!(peer(address).to_string(), expected, "{address}");
        }
    }

    /// Connections of IPv6 addresses, each another of a network, that are admitted.
    fn of_one_network(peers: &Peers, network: u16, count: u16) -> Vec<Admitted> {
        let address = |host| PeerAddress::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host));
        (0..count).filter_map(|host| peers.admit(address(host))).collect()
    }

    #[test]
    fn neighbours_of_a_network_have_places_of_their_own_and_a_share_together() {
        let (peers, metrics) = peers(100, 2);
        let one = peer("[2001:db8:0:1::1]:1");
        let held = [peers.admit(one).unwrap(), peers.admit(one).unwrap()];
        assert!(peers.admit(one).is_none());
        let neighbours = of_one_network(&peers, 1, 100);
        assert_eq!(held.len() + neighbours.len(), 2 * ADDRESSES);
        assert_eq!(of_one_network(&peers, 2, 100).len(), 2 * ADDRESSES);
        let line = "bouncer_connections_refused_total{limit=\"max_connections\"} 0\n";
        assert!(metrics.render().contains(line));
        // Who is turned away keeps nothing of the network's.
        drop((held, neighbours));
        assert_eq!(of_one_network(&peers, 1, 100).len(), 2 * ADDRESSES);
    }

    #[test]
    fn no_network_has_every_place_unless_one_peer_may() {
        for (all, each, network) in
            [(100, 10, 75), (3, 2, 2), (4, 1, 3), (1, 1, 1), (10, 9, 9), (10, 10, 10), (10, 99, 10)]
        {
            let (peers, _metrics) = peers(all, each);
            let held = of_one_network(&peers, 1, 200);
            assert_eq!(held.len(), network, "{all} {each}");
            assert_eq!(peers.admit(PeerAddress::Unix).is_some(), network < all, "{all} {each}");
        }
    }

    #[test]
    fn a_peer_with_too_many_is_refused_and_another_is_not() {
        let (peers, metrics) = peers(3, 2);
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
