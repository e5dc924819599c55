//! Takes changes of the file, the entries, the secrets and the TLS files while requests go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::generation::Builder;
use super::standing::Watch;
use super::watched;
use crate::base::{Fault, Severity, behind_requests};
use crate::config::{self, Config};
use crate::envoy::{Current, Generation};
use crate::secrets::Watcher;
use crate::serve::Tls;
use crate::telemetry::ReloadResult;

/// How long new issuers may take for their first keys before the new configuration serves without them.
const FIRST_KEYS: Duration = Duration::from_secs(10);

/// Watches and reloads. Runs beside the [`super::App`].
#[derive(Debug)]
pub struct Reloader {
    config: Arc<Config>,
    builder: Arc<Builder>,
    current: Arc<Current>,
    standing: Arc<Watch>,
    tls: Option<Arc<Tls>>,
    watcher: Watcher,
    /// The faults that were told of last, so that a file that stays bad is told of once.
    told: Vec<Fault>,
}

pub(super) fn watcher(config: &Config, tls: Option<&Tls>) -> Watcher {
    Watcher::new(watched(config, tls))
}

impl Reloader {
    pub(super) fn new(
        config: Config,
        builder: Builder,
        current: Arc<Current>,
        standing: Arc<Watch>,
        tls: Option<Arc<Tls>>,
        watcher: Watcher,
    ) -> Self {
        let (config, builder) = (Arc::new(config), Arc::new(builder));
        Self { config, builder, current, standing, tls, watcher, told: Vec::new() }
    }

    /// Resolves when something that the server lives on changed. May be dropped and called again.
    pub async fn changed(&mut self) {
        self.watcher.changed().await;
    }

    /// Reads everything again. A good change replaces the whole generation; a bad one is reported and counted, and what
    /// serves goes on serving. Secrets are taken in either case.
    pub async fn reload(&mut self) {
        let (file, tls) = (self.config.file.clone(), self.tls.clone());
        let read = move || {
            if let Some(Err(error)) = tls.as_deref().map(Tls::reload) {
                tracing::error!(%error, "listen.tls cannot be read again; the certificate in use stays");
            }
            config::load(&file)
        };
        match aside(read).await {
            Some(Ok(config)) if config == *self.config => self.told.clear(),
            Some(Ok(config)) => {
                self.told.clear();
                self.take(Arc::new(config)).await;
                return;
            }
            Some(Err(faults)) => self.refuse(faults),
            None => self.refuse(Vec::new()),
        }
        let (builder, config) = (Arc::clone(&self.builder), Arc::clone(&self.config));
        // The slots that this returns are those that serve.
        if let Some((_slots, faults)) = aside(move || builder.credentials(&config)).await {
            self.standing.secrets(faults);
        }
    }

    async fn take(&mut self, config: Arc<Config>) {
        let previous = self.current.generation();
        let moved = watched(&config, self.tls.as_deref()) != watched(&self.config, self.tls.as_deref());
        // Made before the secrets are read, so that no change falls in between.
        let watcher = moved.then(|| watcher(&config, self.tls.as_deref()));
        let (builder, next, before) = (Arc::clone(&self.builder), Arc::clone(&config), Arc::clone(&previous));
        let (generation, faults) = match aside(move || builder.build(&next, Some(&before))).await {
            Some(Ok(built)) => built,
            refused => {
                if let Some(Err(error)) = refused {
                    tracing::error!(%error, "the configuration cannot be taken; the old one serves");
                }
                self.current.metrics().config_reload(ReloadResult::Rejected, previous.snapshot.generation);
                return;
            }
        };
        if config.listen != self.config.listen
            || config.admin != self.config.admin
            || config.limits != self.config.limits
        {
            tracing::warn!(
                "listen, admin and limits (but max_token, verified_tokens) are taken at the next start only"
            );
        }
        if config.audit != self.config.audit {
            tracing::warn!("audit is taken at the next start only");
        }
        // A new issuer's callers must not be refused for want of keys that are on their way.
        first_keys(&generation).await;
        tracing::info!(generation = generation.snapshot.generation, "configuration taken");
        let taken = generation.snapshot.generation;
        self.current.replace(generation);
        self.current.metrics().config_reload(ReloadResult::Applied, taken);
        self.standing.secrets(faults);
        if let Some(watcher) = watcher {
            self.watcher = watcher;
        }
        self.config = config;
    }

    fn refuse(&mut self, faults: Vec<Fault>) {
        if faults == self.told {
            return;
        }
        let serving = self.current.generation().snapshot.generation;
        self.current.metrics().config_reload(ReloadResult::Rejected, serving);
        for fault in faults.iter().filter(|fault| fault.severity == Severity::Fault) {
            tracing::error!(%fault, "the configuration cannot be taken; the old one serves");
        }
        self.told = faults;
    }
}

/// Reads files on a thread of its own: this runtime accepts connections and answers probes meanwhile. None when the work
/// panicked: a bug, but one that must not take the server with it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let work = || {
        // The pool's other work are files too.
        behind_requests();
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .inspect_err(|error| tracing::error!(%error, "a reload broke off"))
        .ok()
}

async fn first_keys(generation: &Generation) {
    let issuers = generation.snapshot.callers.issuers();
    let missing = issuers.iter().enumerate().filter(|(_, issuer)| issuer.keys.load().is_none());
    // One deadline for all of them: while this waits, nobody takes a key that was swapped in the store.
    let deadline = Instant::now() + FIRST_KEYS;
    for (index, issuer) in missing {
        let fetched = timeout_at(deadline, generation.key_sets().refreshed(index)).await;
        if fetched != Ok(true) {
            tracing::warn!(
                issuer = &*issuer.settings.issuer,
                "no keys of the issuer yet; its tokens are refused until they come"
            );
        }
    }
}
