//! Where a connection may go. Names are checked after resolution: whoever rules a name chooses the address behind it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use super::OutboundError;

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Everywhere by https, and to loopback by http. Never to the machine's own network segment and its metadata services.
    World,
    /// Only there, and to loopback: for the sources whose token is the machine's identity.
    Metadata,
}

/// Looks names up with the system and drops the addresses that the reach does not have.
pub(super) struct Filter {
    reach: Reach,
    lookup: Lookup,
}

/// How a name becomes addresses: by the system, or by a test.
pub(super) type Lookup = Arc<dyn Fn(String) -> LookingUp + Send + Sync>;

pub(super) type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A name leads nowhere that may be gone to.
#[derive(Debug, Error)]
#[error("the name leads to addresses that are not allowed")]
pub(super) struct Forbidden;

/// Whether a connection to `url` may be opened: https, or http to a loopback address, without user name or password, and
/// not to the metadata services.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    Reach::World.check(url).is_ok()
}

impl Reach {
    /// Checks what can be seen of an address before its name is looked up.
    ///
    /// # Errors
    /// [`OutboundError::InsecureUrl`], [`OutboundError::Forbidden`].
    pub(super) fn check(self, url: &Url) -> Result<(), OutboundError> {
        let literal = literal(url);
        let scheme = match (self, url.scheme()) {
            (_, "https") => url.has_host(),
            (Self::World, "http") => is_loopback(url),
            (Self::Metadata, "http") => true,
            _ => false,
        };
        if !scheme || !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::InsecureUrl);
        }
        match literal {
            Some(address) if !self.has(address) => Err(OutboundError::Forbidden),
            _ => Ok(()),
        }
    }

    /// Whether it has this address.
    pub(super) fn has(self, address: IpAddr) -> bool {
        let inner = embedded(address);
        let all = |test: fn(IpAddr) -> bool| test(address) || inner.is_some_and(test);
        match self {
            Self::World => !all(is_near) && !all(is_nobody),
            Self::Metadata => inner.is_none() && (address.is_loopback() || is_near(address)),
        }
    }
}

impl Filter {
    pub(super) fn new(reach: Reach, lookup: Lookup) -> Self {
        Self { reach, lookup }
    }
}

/// Asks the system.
pub(super) fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            // RFC 6761 section 6.3: never anything else, whatever a name server says.
            if name.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
                let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                return Ok(both.map(|address| SocketAddr::new(address, 0)).to_vec());
            }
            Ok(tokio::net::lookup_host((name, 0)).await?.collect())
        })
    })
}

impl Resolve for Filter {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, found) = (self.reach, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let mut found = found.await?;
            let some = !found.is_empty();
            found.retain(|address| reach.has(address.ip()));
            if some && found.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.reach).finish()
    }
}

/// Whether `url` leads back to this machine, by its name alone.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        _ => literal(url).is_some_and(|address| address.is_loopback()),
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// The machine's own segment, where clouds have their metadata services, and the addresses that some have elsewhere.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || [
                    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
                    Ipv4Addr::new(168, 63, 129, 16),   // Azure's WireServer
                    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
                ]
                .contains(&v4)
        }
        IpAddr::V6(v6) => match v6.segments() {
            // AWS: fd00:ec2::254 and its neighbours. Google: fd20:ce::254. Scaleway: fd00:42::42.
            [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] | [0xfd00, 0x0042, ..] => true,
            [first, ..] => first & 0xffc0 == 0xfe80,
        },
    }
}

/// Addresses that are nobody's, everybody's, or this machine's by another name.
fn is_nobody(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (RFC 7915), NAT64 (RFC 6052), 6to4
/// (RFC 3056).
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let two = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x0064, 0xff9b, _, _, _, _, high, low] => two(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x2002, high, low, ..] => two(high, low),
        _ => None,
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
