//! How much a server may send before it is read: as much as to Envoy.

/// On a stream.
pub(crate) const STREAM: u32 = 16 << 20;

/// On a connection.
pub(crate) const CONNECTION: u32 = 24 << 20;
