//! The composition root: a configuration becomes a running server.

mod credentials;
mod generation;
mod reload;
mod rotations;
mod secret;
mod standing;
mod trial;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::credentials::Credentials;
use self::generation::Builder;
pub use self::reload::Reloader;
use self::rotations::Rotations;
pub use self::secret::secret_faults;
pub use self::trial::{NotTried, Obtained, Trial, TrialError, trial};
use crate::admin;
use crate::audit::Audit;
use crate::base::{Clock, FingerprintKey};
use crate::cache::Refresher;
use crate::config::Config;
use crate::envoy::{Current, labels};
use crate::outbound::{Http, OutboundError};
use crate::secrets::FileSecrets;
use crate::serve::{
    Address, Drained, Health, ListenError, Peers, Services, Tls, TlsError, Workers, WorkersError, accept,
    bind, drain,
};
use crate::telemetry::{Metrics, install_panic_hook};
use crate::token::{Outward, SecretFault, read_fingerprint_key};

/// A running server. Dropping it stops it without a drain.
#[derive(Debug)]
pub struct App {
    addresses: Vec<Address>,
    admin: Option<SocketAddr>,
    health: Health,
    standing: Arc<standing::Watch>,
    drained: Drained,
    workers: Arc<Workers>,
    /// Acceptors, admin and the like; they end with the app.
    tasks: JoinSet<()>,
    grace: Duration,
    refresher: Arc<Refresher>,
    audit: Arc<Audit>,
}

/// How long exchanges that run may take to land: an answer on its way may hold the only refresh token that is still good.
const LAST_EXCHANGES: Duration = Duration::from_secs(5);

/// How long the last events may take to their sinks.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// Why the server does not start.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cannot listen on admin.listen {address}: {source}")]
    Admin { address: SocketAddr, source: std::io::Error },
    #[error("listen.tls: {0}")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Workers(#[from] WorkersError),
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] OutboundError),
    #[error("the compiled-in descriptors are damaged: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the machine gives no random numbers")]
    NoRandomness,
    #[error("audit.fingerprint_key: {0}")]
    FingerprintKey(#[from] SecretFault),
    #[error(transparent)]
    Generation(#[from] generation::Conflicts),
}

impl App {
    /// Binds, starts the background side and serves. Returns once every address is bound; `/readyz` and gRPC health
    /// say when it is ready. The returned [`Reloader`] is to be run beside it.
    ///
    /// # Errors
    /// [`StartError`]: what it names has to be mended, then start again.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<(Self, Reloader), StartError> {
        let metrics = Arc::new(Metrics::new(labels()));
        install_panic_hook(metrics.panics());
        let tls = config.listen.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
        // Bound first: two servers on one address is found out before a key set is fetched.
        let mut listeners = Vec::new();
        for address in &config.listen.grpc {
            listeners.push(bind(address).await?);
        }
        let admin_listener = match &config.admin {
            None => None,
            Some(settings) => Some(
                TcpListener::bind(settings.listen)
                    .await
                    .map_err(|source| StartError::Admin { address: settings.listen, source })?,
            ),
        };
        // Made before the secrets are read, so that no change falls in between.
        let watcher = reload::watcher(&config, tls.as_deref());
        let http = Http::new()?;
        let fingerprints = fingerprint_key(&config)?;
        let audit = Arc::new(Audit::start(&config.audit, Arc::clone(&clock)));
        metrics.watch_audit(Arc::clone(&audit));
        let outward = Outward::new(http.clone(), Arc::clone(&clock));
        let rotations = Arc::new(Rotations::new(Arc::clone(&metrics), Arc::clone(&audit)));
        let credentials = Credentials::new(outward, fingerprints, rotations);
        let refresher = Arc::clone(credentials.refresher());
        let builder = Builder::new(http, Arc::clone(&metrics), credentials);
        let (generation, faults) = builder.build(&config, None)?;
        metrics.config_generation(generation.snapshot.generation);
        let peers = Arc::new(Peers::new(&config.limits, Arc::clone(&clock), Arc::clone(&metrics)));
        let current = Arc::new(Current::new(generation, clock, Arc::clone(&metrics), config.limits.clone()));
        let (services, health) = Services::new(Arc::clone(&current)).await?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = Arc::new(Workers::start(cores, &services, &config.limits)?);
        let standing = Arc::new(standing::Watch::new(Arc::clone(&current), faults));

        let (drained, draining) = drain();
        let mut tasks = JoinSet::new();
        let mut addresses = Vec::new();
        for (listener, address) in listeners {
            tracing::info!(service = "grpc", %address, "listening");
            addresses.push(address);
            let (workers, peers) = (Arc::clone(&workers), Arc::clone(&peers));
            tasks.spawn(accept(listener, tls.clone(), workers, peers, draining.clone()));
        }
        let mut admin = None;
        if let Some(listener) = admin_listener {
            admin = listener.local_addr().ok();
            if let Some(address) = admin {
                tracing::info!(service = "admin", %address, "listening");
            }
            let (page, metrics) = (standing.page(), Arc::clone(&metrics));
            tasks.spawn(admin::serve(listener, page, metrics));
        }
        tasks.spawn(Arc::clone(&standing).announce(health.clone()));
        let reloader = Reloader::new(config.clone(), builder, current, Arc::clone(&standing), tls, watcher);
        let app = Self {
            addresses,
            admin,
            health,
            standing,
            drained,
            workers,
            tasks,
            grace: config.listen.shutdown_grace,
            refresher,
            audit,
        };
        Ok((app, reloader))
    }

    /// Where gRPC is served, in the order of `listen.grpc`.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Where the admin pages are served.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Drains: health says NOT_SERVING, connections say GOAWAY, what is in flight is answered. What is not done after
    /// `listen.shutdown_grace` is cut off, which Envoy reads as an error.
    pub async fn shutdown(self) -> Shutdown {
        let Self { health, standing, drained, workers, mut tasks, grace, refresher, audit, .. } = self;
        standing.draining();
        health.draining().await;
        tracing::info!("draining");
        let outcome = match tokio::time::timeout(grace, drained.complete()).await {
            Ok(()) => Shutdown::Clean,
            Err(_) => Shutdown::CutOff,
        };
        tasks.shutdown().await;
        if let Some(workers) = Arc::into_inner(workers) {
            workers.stop();
        }
        let rest = tokio::time::timeout(LAST_EXCHANGES, refresher.rest()).await;
        if rest.is_err() {
            tracing::warn!("an exchange with an identity provider is cut off");
        }
        audit.close(LAST_EVENTS).await;
        outcome
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Everything was answered.
    Clean,
    /// `listen.shutdown_grace` was over first.
    CutOff,
}

/// The key of fingerprints: the installation's own, else one of this process.
pub(crate) fn fingerprint_key(config: &Config) -> Result<FingerprintKey, StartError> {
    match &config.audit.fingerprint_key {
        Some(name) => Ok(read_fingerprint_key(&FileSecrets::new(config.store.root.clone()), name)?),
        None => FingerprintKey::random().ok_or(StartError::NoRandomness),
    }
}

/// Files and folders that the server lives on.
fn watched(config: &Config, tls: Option<&Tls>) -> Vec<PathBuf> {
    let mut paths = vec![config.file.clone(), config.store.root.clone()];
    paths.extend(config.providers_dir.clone());
    paths.extend(tls.map(Tls::files).unwrap_or_default());
    paths
}
