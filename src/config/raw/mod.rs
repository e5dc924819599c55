//! The document as it is written: the single source of the JSON Schema, whose texts are the comments here.
//!
//! Every field is optional to serde, so that what is right can be read beside what is wrong; what must be there says
//! `schemars(required)` and is demanded by the schema.

mod aws;
mod provider;
mod text;
mod token;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use aws::{Aws, MOST_ROLES, MOST_TAGS, Role};
pub(super) use provider::{ApiKey, AuthType, Match, Metadata, Provider};
pub(super) use text::{DurationText, Items, OneOrMore, SizeText};
pub(super) use token::{
    ClientAuth, ClientTls, Federation, Feedback, Grant, RefreshPolicy, TokenBody, TokenFile,
};

/// The configuration of bouncer. Paths in it are relative to the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bouncer")]
pub(super) struct Document {
    /// Where gRPC is served to Envoy.
    #[schemars(required)]
    pub(super) listen: Option<Listen>,
    /// HTTP for operators: /healthz (alive), /readyz (200, or 503 with the reasons), /metrics.
    pub(super) admin: Option<Admin>,
    /// Who may call. At least one way.
    #[schemars(required)]
    pub(super) callers: Option<Callers>,
    /// What counts as multi-factor authentication, for every provider with mfa_required. A provider may narrow it.
    pub(super) mfa: Option<Mfa>,
    /// A folder with one provider entry a file (*.yaml).
    #[schemars(length(min = 1))]
    pub(super) providers_dir: Option<String>,
    /// Provider entries.
    pub(super) providers: Option<Items<Provider>>,
    /// Where a plain credential_ref is looked up.
    pub(super) secrets: Option<Secrets>,
    /// Where audit events go.
    pub(super) audit: Option<Audit>,
    /// What happens to a request that is no provider's: deny (403 no_provider, the default), or pass (leave it alone: for
    /// filters that see other traffic too).
    pub(super) on_no_provider: Option<OnNoProvider>,
    /// Bounds.
    pub(super) limits: Option<Limits>,
}

/// Where gRPC is served to Envoy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    /// One address or a list: 127.0.0.1:9002, [::1]:9002, unix:/run/bouncer/grpc.sock.
    #[schemars(required)]
    pub(super) grpc: Option<OneOrMore>,
    /// TLS on the TCP addresses; with client_ca it is mutual.
    pub(super) tls: Option<ServerTls>,
    /// How long a drain may take. Default 30s.
    pub(super) shutdown_grace: Option<DurationText>,
}

/// TLS on the TCP addresses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTls {
    /// Certificate chain, PEM.
    #[schemars(required, length(min = 1))]
    pub(super) certificate: Option<String>,
    /// Private key, PEM.
    #[schemars(required, length(min = 1))]
    pub(super) private_key: Option<String>,
    /// With it every peer must show a certificate that it signed, PEM.
    #[schemars(length(min = 1))]
    pub(super) client_ca: Option<String>,
    /// Accepted peers by URI or DNS name of their certificate. Empty: every peer that client_ca signed.
    pub(super) allowed_peers: Option<Items<String>>,
}

/// HTTP for operators.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    /// Address and port, as 127.0.0.1:9998.
    #[schemars(required)]
    pub(super) listen: Option<String>,
}

/// Who may call. At least one way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct Callers {
    /// Issuers whose tokens are accepted.
    #[schemars(length(min = 1))]
    pub(super) jwt: Option<Items<Issuer>>,
    /// Client certificates that Envoy has verified.
    pub(super) mtls: Option<Mtls>,
}

/// An issuer whose tokens are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    /// Compared with the claim iss exactly, character by character.
    #[schemars(required)]
    pub(super) issuer: Option<String>,
    /// One of these must be in the claim aud.
    #[schemars(required, length(min = 1))]
    pub(super) audiences: Option<Items<String>>,
    /// Where the key set is. Default: OIDC discovery.
    pub(super) jwks_uri: Option<String>,
    /// Accepted signature algorithms. Default: every one that is supported.
    #[schemars(length(min = 1))]
    pub(super) algorithms: Option<Items<Algorithm>>,
    /// Lower-case names of the headers that carry the token. Default: authorization, x-api-key, api-key, x-goog-api-key,
    /// where unmodified LLM SDKs put their key.
    #[schemars(length(min = 1))]
    pub(super) token_from: Option<Items<String>>,
    /// The claim that lists groups.
    #[schemars(length(min = 1))]
    pub(super) groups_claim: Option<String>,
    /// A claim with such a value marks a workload, beside subjects that are SPIFFE IDs or Kubernetes service accounts.
    pub(super) workloads: Option<BTreeMap<String, String>>,
    /// How far the clocks may differ, at most 60s. Default 30s.
    pub(super) leeway: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// Client certificates that Envoy has verified.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mtls {
    /// Where the certificate is read: attributes (Envoy's peer certificate attributes, the default) or xfcc (the header
    /// x-forwarded-client-cert, written by a listener with SANITIZE_SET).
    pub(super) from: Option<CertificateSource>,
    /// Accepted SPIFFE trust domains.
    #[schemars(required, length(min = 1))]
    pub(super) trust_domains: Option<Items<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum CertificateSource {
    Attributes,
    Xfcc,
}

/// What counts as multi-factor authentication.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mfa {
    /// Any of these in the claim amr; with mfa among them also two different factor classes of RFC 8176. Default: [mfa].
    pub(super) amr: Option<Items<String>>,
    /// Any of these as the claim acr satisfies too, in order of preference.
    pub(super) acr_values: Option<Items<String>>,
    /// How old the claim auth_time may be. Default: any age.
    pub(super) max_age: Option<DurationText>,
}

/// Where a plain credential_ref is looked up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Secrets {
    /// Which store. Default: file.
    pub(super) store: Option<Store>,
    /// The file store.
    pub(super) file: Option<File>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Store {
    File,
}

/// Secrets as files: root/name/key, the layout of mounted Kubernetes Secrets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Folder. Default: secrets.
    #[schemars(length(min = 1))]
    pub(super) root: Option<String>,
}

/// Where audit events go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct Audit {
    /// Each event goes to all of them.
    #[schemars(length(min = 1))]
    pub(super) sinks: Option<Items<Sink>>,
    /// A secret in the store whose key `key` (16 bytes or more) makes the fingerprints of credentials, so that all replicas
    /// call a credential alike. Default: a random one, which ends with the process.
    #[schemars(length(min = 1))]
    pub(super) fingerprint_key: Option<String>,
}

/// One place for audit events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    /// file (lines are appended to path) or stdout.
    #[schemars(required)]
    pub(super) r#type: Option<SinkType>,
    /// The file, of type file. It is made if it is not there.
    #[schemars(length(min = 1))]
    pub(super) path: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum SinkType {
    File,
    Stdout,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum OnNoProvider {
    Deny,
    Pass,
}

/// Bounds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// Largest request body that is signed, and the base of the largest message of Envoy's; a request with a larger one to
    /// an entry that signs is refused (413). Default 16MiB.
    pub(super) max_body: Option<SizeText>,
    /// Memory for the bodies that are being signed; at least max_body. Who finds no room waits as long as patience has it,
    /// then is refused (503). Default 256MiB.
    pub(super) body_memory: Option<SizeText>,
    /// Longest token. Default 16KiB.
    pub(super) max_token: Option<SizeText>,
    /// Largest header block. Default 96KiB.
    pub(super) max_headers: Option<SizeText>,
    /// Concurrent streams of one connection. Default 10000.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(super) max_streams: Option<u32>,
    /// Connections at once. Default 4096.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_connections: Option<u32>,
    /// Connections at once of one peer: an address, or everybody on the Unix sockets. An IPv6 network of 64 bits has 16 times as
    /// many, at most three quarters of max_connections or max_peer_connections, where that is more. Below max_connections no peer has them all. Default 1024.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_peer_connections: Option<u32>,
    /// Streams and checks without an answer at once, over all connections. Who comes beyond is refused (503) and not read. Default 100000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(super) max_active: Option<u32>,
    /// Requests that wait at once for a key set, a cold credential or room for a body; of one issuer or one provider at most
    /// a quarter. Who comes beyond is refused (503). Default 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(super) max_waiting: Option<u32>,
    /// Verified tokens remembered. Default 100000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(super) verified_tokens: Option<u32>,
    /// A stream that waits longer for Envoy's next message ends. Default 5m.
    pub(super) stream_idle: Option<DurationText>,
    /// No stream lives longer. Default 1h.
    pub(super) stream_total: Option<DurationText>,
    /// Longest wait for a key set or a cold credential; keep it shorter than Envoy's message_timeout. Default 400ms.
    pub(super) patience: Option<DurationText>,
}
