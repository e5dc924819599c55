//! What Envoy itself says of a request. No client can write any of it; no header is looked at here.

use std::borrow::Cow;

/// Where a piece of metadata stands in Envoy's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// `xds.upstream_host_metadata` (upstream filters only).
    Host,
    /// `xds.cluster_metadata`.
    Cluster,
    /// `xds.route_metadata`, or ext_authz `route_metadata_context`.
    Route,
}

/// A look into the metadata of a message. The wire form belongs to `envoy/`; the core only asks.
pub trait MetadataLookup {
    /// The string under `namespace` and `key`, where it is there and is a string.
    fn lookup(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Cow<'_, str>>;
}

/// A message without any metadata.
#[derive(Clone, Copy, Debug)]
pub struct NoMetadata;

/// The caller's certificate as Envoy verified it.
#[derive(Clone, Debug, Default)]
pub struct PeerFacts<'a> {
    /// Whether the downstream connection was mutual TLS; none where Envoy did not say (attribute `connection.mtls`).
    pub mtls: Option<bool>,
    /// URI SAN of the caller's certificate (`connection.uri_san_peer_certificate`).
    pub uri_san: Option<&'a str>,
    /// ext_authz `attributes.source.principal`.
    pub principal: Option<&'a str>,
}

/// What the downstream half of a pair verified, as it arrives at the upstream half in dynamic metadata `bouncer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedFacts {
    /// `iss`, or the trust domain of a certificate.
    pub issuer: String,
    /// `sub`, or the SPIFFE ID.
    pub subject: String,
    /// `person` or `workload`.
    pub workload: bool,
    /// Groups of the caller.
    pub groups: Vec<String>,
    /// `amr` values.
    pub amr: Vec<String>,
    /// `acr` and Entra's `acrs`.
    pub acr: Vec<String>,
    /// `auth_time`, Unix seconds.
    pub auth_time: Option<u64>,
    /// When the proof ends, Unix seconds, leeway included.
    pub not_after: u64,
    /// The workload that speaks for the caller, when a certificate came beside a token.
    pub via: Option<String>,
}

/// Everything that Envoy says.
pub struct EnvoyFacts<'a> {
    /// Provider named by the operator: ext_authz `context_extensions.provider`, ext_proc `x-bouncer-provider`.
    pub named_provider: Option<&'a str>,
    /// `xds.cluster_name`.
    pub cluster: Option<&'a str>,
    /// `xds.route_name`.
    pub route: Option<&'a str>,
    /// Route, cluster and host metadata.
    pub metadata: &'a dyn MetadataLookup,
    /// The caller's certificate.
    pub peer: PeerFacts<'a>,
    /// Whether this filter runs on the upstream side, where a retry shows the headers of the first attempt.
    pub upstream: bool,
    /// Facts of the pair's downstream half. Filled from dynamic metadata only, and only for the upstream half.
    pub verified: Option<Box<VerifiedFacts>>,
}

/// Nothing: what is read off the wire names every field all the same, so that a new one is not forgotten.
impl Default for EnvoyFacts<'_> {
    fn default() -> Self {
        Self {
            named_provider: None,
            cluster: None,
            route: None,
            metadata: &NoMetadata,
            peer: PeerFacts::default(),
            upstream: false,
            verified: None,
        }
    }
}

impl MetadataLookup for NoMetadata {
    fn lookup(&self, _: MetadataSource, _: &str, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
