//! The connections' own settings: who is trusted, which proxy, which addresses.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::address::{Filter, Lookup, is_loopback};
use super::tls::{Loaded, Stamp};
use super::{ClientTls, OutboundError, Reach};

const CONNECT: Duration = Duration::from_secs(3);

/// Clients for every reach.
#[derive(Clone)]
pub(super) struct Clients {
    public: Three,
    own: Option<Arc<Own>>,
    lookup: Lookup,
}

/// One client for each way.
#[derive(Clone, Debug)]
struct Three {
    /// May go through the proxy that the environment names.
    world: Client,
    /// Never does.
    loopback: Client,
    /// Nor does this.
    metadata: Client,
}

/// Clients with TLS of their own, and which version of the files they are made of.
struct Own {
    tls: ClientTls,
    lookup: Lookup,
    made: Mutex<Option<(Stamp, Three)>>,
}

impl Clients {
    pub(super) fn new(lookup: Lookup) -> Result<Self, OutboundError> {
        // The provider of the process, if `serve` did not choose it before; whoever was first stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let public = Three::build(&lookup, |builder| builder)
            // No roots on this machine: an empty set refuses every https server instead of stopping the start.
            .or_else(|_| Three::build(&lookup, |builder| builder.tls_certs_only([])))?;
        Ok(Self { public, own: None, lookup })
    }

    pub(super) fn with_tls(&self, tls: ClientTls) -> Self {
        let lookup = Arc::clone(&self.lookup);
        let own = Own { tls, lookup, made: Mutex::default() };
        let own = (!own.tls.is_default()).then(|| Arc::new(own));
        Self { own, ..self.clone() }
    }

    pub(super) fn tls(&self) -> Option<&ClientTls> {
        self.own.as_ref().map(|own| &own.tls)
    }

    /// The client for `url`.
    pub(super) async fn client(&self, url: &Url, reach: Reach) -> Result<Client, OutboundError> {
        let three = match &self.own {
            None => self.public.clone(),
            Some(own) => {
                let own = Arc::clone(own);
                // Files are read where a slow disk holds up nobody else.
                tokio::task::spawn_blocking(move || own.current())
                    .await
                    .map_err(|_| OutboundError::Broken)??
            }
        };
        Ok(match reach {
            Reach::Metadata => three.metadata,
            Reach::World if is_loopback(url) => three.loopback,
            Reach::World => three.world,
        })
    }
}

impl Three {
    fn build(lookup: &Lookup, with: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Self, OutboundError> {
        let of_world = || with(builder(Reach::World, lookup));
        let made = |builder: ClientBuilder| builder.build().map_err(|_| OutboundError::Client);
        Ok(Self {
            world: made(of_world())?,
            loopback: made(of_world().no_proxy())?,
            // Metadata services speak http.
            metadata: made(builder(Reach::Metadata, lookup).no_proxy().tls_certs_only([]))?,
        })
    }
}

impl Own {
    fn current(&self) -> Result<Three, OutboundError> {
        let stamp = self.tls.stamp();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, three)) = &*made
            && *same == stamp
        {
            return Ok(three.clone());
        }
        let loaded: Loaded = self.tls.load().map_err(OutboundError::TlsFile)?;
        let three = Three::build(&self.lookup, |builder| loaded.apply(builder)).map_err(|error| {
            match &self.tls.identity {
                // Each file can be read alone: the key is not the certificate's.
                Some(_) => OutboundError::TlsFile(super::TlsFile::PrivateKey),
                None => error,
            }
        })?;
        *made = Some((stamp, three.clone()));
        Ok(three)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("own", &self.own).finish_non_exhaustive()
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("tls", &self.tls).finish_non_exhaustive()
    }
}

fn builder(reach: Reach, lookup: &Lookup) -> ClientBuilder {
    Client::builder()
        .tls_backend_rustls()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        // Calls are minutes apart: a connection that was kept would be gone when it is needed, and its name is to be
        // resolved and judged each time.
        .pool_max_idle_per_host(0)
        .dns_resolver(Filter::new(reach, Arc::clone(lookup)))
        .user_agent(concat!("bouncer/", env!("CARGO_PKG_VERSION")))
}
