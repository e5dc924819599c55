//! Connections as Envoy opens them: HTTP/2 with prior knowledge over TCP or a Unix socket, or by ALPN over TLS.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::plan::{Address, Target, Tls};

/// As wide as Envoy's: h2 takes many small DATA frames in a narrow window for a flood.
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;

/// Opens connections to one server.
#[derive(Clone)]
pub(super) struct Dialer {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

/// Why there is no connection. Names addresses and paths, never contents.
#[derive(Clone, Debug, Error)]
pub enum ConnectError {
    /// Nobody is there.
    #[error(
        "cannot connect to {address}: {error}; is the server running, and is this its gRPC address (the line `listening` of its log)?"
    )]
    Refused {
        /// Where.
        address: Address,
        /// Why.
        error: Arc<io::Error>,
    },
    /// The handshake of TLS failed.
    #[error(
        "TLS with {address}: {error}; does the server speak TLS there, does --tls-ca hold its authority, is --tls-server-name in its certificate, does it ask for a certificate (--tls-certificate, --tls-key)?"
    )]
    Tls {
        /// Where.
        address: Address,
        /// Why.
        error: Arc<io::Error>,
    },
    /// It does not speak HTTP/2.
    #[error(
        "{address} does not speak HTTP/2: {error}; is this its gRPC address, and does it want TLS (--tls-ca)?"
    )]
    Http2 {
        /// Where.
        address: Address,
        /// Why.
        error: Arc<h2::Error>,
    },
    /// It does not say anything.
    #[error(
        "no connection to {address} within {patience:?}; is there a firewall between, and does it want TLS (--tls-ca)?"
    )]
    TimedOut {
        /// Where.
        address: Address,
        /// How long was waited.
        patience: Duration,
    },
    /// A file for TLS.
    #[error("{path}: {what}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Files for TLS that do not go together.
    #[error("TLS: {0}")]
    Setting(String),
}

impl Dialer {
    /// Reads the files of TLS.
    pub(super) fn new(target: &Target, patience: Duration) -> Result<Self, ConnectError> {
        let tls = target.tls.as_ref().map(|tls| connector(tls, &target.address)).transpose()?;
        Ok(Self { address: target.address.clone(), tls, patience })
    }

    /// Opens one. Its work is done on the current [`tokio::task::LocalSet`].
    pub(super) async fn dial(&self) -> Result<SendRequest<Bytes>, ConnectError> {
        let timed_out = || ConnectError::TimedOut { address: self.address.clone(), patience: self.patience };
        timeout(self.patience, self.open()).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn open(&self) -> Result<SendRequest<Bytes>, ConnectError> {
        let refused = |error| ConnectError::Refused { address: self.address.clone(), error: Arc::new(error) };
        match &self.address {
            Address::Unix(path) => self.handshake(UnixStream::connect(path).await.map_err(refused)?).await,
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(refused)?;
                // Without it the 99th percentile triples.
                stream.set_nodelay(true).map_err(refused)?;
                let Some((tls, name)) = &self.tls else { return self.handshake(stream).await };
                let stream = tls.connect(name.clone(), stream).await;
                let stream = stream.map_err(|error| ConnectError::Tls {
                    address: self.address.clone(),
                    error: Arc::new(error),
                })?;
                self.handshake(stream).await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> Result<SendRequest<Bytes>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let failed = |error| ConnectError::Http2 { address: self.address.clone(), error: Arc::new(error) };
        handshake(stream).await.map_err(failed)
    }
}

/// Begins HTTP/2 on a stream of bytes.
pub(super) async fn handshake<S>(stream: S) -> Result<SendRequest<Bytes>, h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    // What a server still sends on a stream that was reset is nothing to be alarmed at.
    let mut builder = Builder::new();
    builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    builder.max_local_error_reset_streams(None);
    let (client, connection) = builder.handshake(stream).await?;
    // How it ends is seen by the streams.
    tokio::task::spawn_local(async move {
        let _seen_by_the_streams = connection.await;
    });
    Ok(client)
}

fn connector(tls: &Tls, address: &Address) -> Result<(TlsConnector, ServerName<'static>), ConnectError> {
    let setting = |error: &dyn fmt::Display| ConnectError::Setting(error.to_string());
    let Address::Tcp(address) = address else {
        return Err(setting(&"a Unix socket never speaks TLS; leave --tls-ca out"));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate).map_err(|error| setting(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setting(&error))?
        .with_root_certificates(roots);
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| ConnectError::File { path: key.clone(), what: error.to_string() })?;
            builder.with_client_auth_cert(certificates(chain)?, key).map_err(|error| setting(&error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let host = tls.server_name.as_deref().unwrap_or_else(|| host.trim_matches(['[', ']']));
    let name = ServerName::try_from(host.to_owned()).map_err(|error| setting(&error))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let fault = |what: String| ConnectError::File { path: path.to_owned(), what };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| fault(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| fault(error.to_string()))?;
    if certificates.is_empty() { Err(fault("holds no certificate".to_owned())) } else { Ok(certificates) }
}

/// How a connection is made; a test has one without a socket.
pub(super) type Dial =
    Rc<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<SendRequest<Bytes>, ConnectError>>>>>;

impl From<Dialer> for Dial {
    fn from(dialer: Dialer) -> Self {
        Rc::new(move || {
            let dialer = dialer.clone();
            Box::pin(async move { dialer.dial().await })
        })
    }
}
