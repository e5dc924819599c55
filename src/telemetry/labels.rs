//! The values of labels: from the configuration and from closed sets, never from a request.

/// Which gRPC service was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are Envoy's")]
pub enum Service {
    ExtProc,
    ExtAuthz,
}

/// What became of a request. Codes are positions in [`Labels::codes`]; one beyond the list counts as `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The credential was put on.
    Permit,
    /// The downstream half verified the caller.
    Verified,
    /// Nobody's request, left alone.
    Pass,
    /// Step-up was asked for.
    Challenged(usize),
    /// Refused.
    Refused(usize),
}

/// The closed sets that other modules own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels {
    /// Codes of challenges and refusals.
    pub codes: &'static [&'static str],
    /// Kinds of protocol errors.
    pub protocol_errors: &'static [&'static str],
}

/// How that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RefreshResult {
    Ok,
    Failed,
}

/// With which status a provider refused its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum UpstreamStatus {
    Unauthorized,
    Forbidden,
    Other,
}

/// Which limit a connection was refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// That of all.
    All,
    /// That of one peer.
    Peer,
}

/// What became of a new configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// It serves.
    Applied,
    /// It has faults; the old one serves.
    Rejected,
}

impl Service {
    /// Both, in the order of [`Metrics`]' arrays.
    pub(super) const ALL: [Self; 2] = [Self::ExtProc, Self::ExtAuthz];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtProc => "ext_proc",
            Self::ExtAuthz => "ext_authz",
        }
    }
}

impl ConnectionLimit {
    /// Both, in the order of their numbers.
    pub(super) const ALL: [Self; 2] = [Self::All, Self::Peer];

    /// The label's value: its name in `limits`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "max_connections",
            Self::Peer => "max_peer_connections",
        }
    }
}

impl RefreshResult {
    /// Both, in the order of their numbers.
    pub(super) const ALL: [Self; 2] = [Self::Ok, Self::Failed];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

impl UpstreamStatus {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 3] = [Self::Unauthorized, Self::Forbidden, Self::Other];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
            Self::Other => "other",
        }
    }
}

impl From<u16> for UpstreamStatus {
    fn from(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            _ => Self::Other,
        }
    }
}
