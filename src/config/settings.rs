//! The valid configuration. What is here can be used without another check.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::audit::AuditSettings;
use crate::base::Fault;
use crate::identity::CallersSettings;
use crate::provider::{ApiKeyPlacement, Provider};
use crate::token::TokenSettings;

/// A whole configuration: the file, and the entries of `providers_dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the file lies, for messages and for watching.
    pub file: PathBuf,
    /// `providers_dir`, already relative to the file.
    pub providers_dir: Option<PathBuf>,
    /// gRPC.
    pub listen: Listen,
    /// HTTP for operators.
    pub admin: Option<AdminSettings>,
    /// Who may call.
    pub callers: CallersSettings,
    /// The entries, files of `providers_dir` by name first, then the list in the file.
    pub providers: Vec<ProviderEntry>,
    /// Where plain names of `credential_ref` are looked up.
    pub store: FileStore,
    /// Where audit events go.
    pub audit: AuditSettings,
    /// What happens to a request that is nobody's.
    pub on_no_provider: OnNoProvider,
    /// Bounds.
    pub limits: Limits,
    /// What somebody should look at. Never a fault: with a fault there is no `Config`.
    pub warnings: Vec<Fault>,
}

/// The section `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// At least one.
    pub grpc: Vec<ListenAddress>,
    /// TLS on the TCP addresses; never on Unix sockets.
    pub tls: Option<ServerTls>,
    /// How long a drain may take.
    pub shutdown_grace: Duration,
}

/// Where gRPC is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// `127.0.0.1:9002`.
    Tcp(SocketAddr),
    /// `unix:/run/bouncer/grpc.sock`, relative paths relative to the file.
    Unix(PathBuf),
}

/// The section `listen.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key.
    pub private_key: PathBuf,
    /// PEM certificates; with them every peer must show a certificate of theirs.
    pub client_ca: Option<PathBuf>,
    /// URI or DNS SANs of accepted peers; empty is everybody whom `client_ca` signed.
    pub allowed_peers: Vec<String>,
}

/// The section `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
}

/// One entry of `providers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEntry {
    /// What decides.
    pub provider: Provider,
    /// Where its credential comes from.
    pub credential: CredentialSettings,
    /// What becomes of the provider's refusals of it.
    pub feedback: Feedback,
    /// Whether its rotations are audited.
    pub audit_on_rotate: bool,
}

/// How the credential of an entry is made, by auth type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSettings {
    /// `auth_type: api_key`.
    ApiKey {
        /// `credential_ref`.
        credential_ref: String,
        /// `api_key.header` and `.prefix`, else the provider's own.
        placement: ApiKeyPlacement,
    },
    /// Every auth type whose credential is a token.
    Token(Box<TokenSettings>),
}

/// What becomes of the provider's refusals of our credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feedback {
    /// They are not looked at.
    #[default]
    Off,
    /// The credential is renewed; the caller sees the provider's own answer.
    Observe,
    /// The credential is renewed; the caller, whose own token was fine, sees 503 or 502 instead of the provider's 401.
    Answer,
}

/// `secrets.file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStore {
    /// `secrets/<name>/<key>` lie below it.
    pub root: PathBuf,
}

/// `on_no_provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNoProvider {
    /// 403 `no_provider`.
    Deny,
    /// Leave the request alone.
    Pass,
}

/// The section `limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body that is signed (413 beyond it), and the base of the largest gRPC message. Default 16 MiB.
    pub max_body: usize,
    /// Memory for the bodies that are being signed; at least `max_body`. Default 256 MiB.
    pub body_memory: usize,
    /// Longest token. Default 16 KiB.
    pub max_token: usize,
    /// Largest header block of a gRPC request and, with `max_body`, of a message. Default 96 KiB.
    pub max_headers: usize,
    /// Concurrent streams of one connection. Default 10 000.
    pub max_streams: u32,
    /// Streams and checks without an answer at once, over all connections. Default 100 000.
    pub max_active: usize,
    /// Connections at once. Default 4 096.
    pub max_connections: usize,
    /// Connections at once of one peer; below `max_connections` no peer has them all. Default 1 024: an Envoy opens one a
    /// worker thread and cluster, so that is four of 128 threads and two clusters behind one address, and a quarter of all. An
    /// IPv6 network of 64 bits has 16 times as many, and at most three quarters of all (or as many as one peer, where that is more).
    pub max_peer_connections: usize,
    /// Requests that wait at once for keys, a cold credential or room; of one issuer or provider a quarter. Default 10 000.
    pub max_waiting: usize,
    /// Verified tokens remembered. Default 100 000.
    pub verified_tokens: usize,
    /// A stream that waits longer for Envoy's next message ends. Default 5 min.
    pub stream_idle: Duration,
    /// No stream lives longer; one whose peer takes nothing of what was sent ends `stream_idle` later. Default 1 h.
    pub stream_total: Duration,
    /// Longest wait for a key set or a cold credential; shorter than Envoy's own `message_timeout`. Default 400 ms.
    pub patience: Duration,
}

impl Limits {
    /// The longest gRPC message that is read: a body, and headers with what Envoy says beside them.
    #[must_use]
    pub fn longest_message(&self) -> usize {
        self.max_body.saturating_add(self.longest_first())
    }

    /// The same of one with headers alone, as a stream of ext_proc begins: nobody has said yet who calls.
    #[must_use]
    pub fn longest_first(&self) -> usize {
        self.max_headers.saturating_mul(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 16 << 20,
            body_memory: 256 << 20,
            max_token: 16 << 10,
            max_headers: 96 << 10,
            max_streams: 10_000,
            max_active: 100_000,
            max_connections: 4_096,
            max_peer_connections: 1_024,
            max_waiting: 10_000,
            verified_tokens: 100_000,
            stream_idle: Duration::from_secs(300),
            stream_total: Duration::from_secs(3_600),
            patience: Duration::from_millis(400),
        }
    }
}
