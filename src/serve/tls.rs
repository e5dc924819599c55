//! TLS towards Envoy, and which peers may ask.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use thiserror::Error;

use crate::config::ServerTls;

/// The TLS of the listeners. Read again when its files change; connections that are open keep what they have.
#[derive(Debug)]
pub struct Tls {
    settings: ServerTls,
    config: ArcSwap<ServerConfig>,
}

/// Whether a peer may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It may.
    Allowed,
    /// Its certificate is good but not among `allowed_peers`: every call of its ends with UNAUTHENTICATED.
    Refused,
}

/// Why the TLS files cannot be used. Names paths, never contents.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is missing or holds no PEM of the kind.
    #[error("{path}: {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Certificate and key do not belong together, or the like.
    #[error("certificate and key cannot be used: {0}")]
    Config(#[from] rustls::Error),
    /// `client_ca` cannot be used.
    #[error("client_ca cannot be used: {0}")]
    ClientCa(#[from] rustls::server::VerifierBuilderError),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]: the operator has to mend the file that it names.
    pub fn load(settings: ServerTls) -> Result<Self, TlsError> {
        let config = ArcSwap::from(read(&settings)?);
        Ok(Self { settings, config })
    }

    /// Reads the files again; what is in use stays when they are bad.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(read(&self.settings)?);
        Ok(())
    }

    /// The files, for watching.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Self { settings, .. } = self;
        [&settings.certificate, &settings.private_key]
            .into_iter()
            .chain(&settings.client_ca)
            .cloned()
            .collect()
    }

    /// What the next handshake is made with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Whether the peer of a finished handshake may ask.
    #[must_use]
    pub fn peer(&self, connection: &ServerConnection) -> Peer {
        let allowed = &self.settings.allowed_peers;
        if self.settings.client_ca.is_none() || allowed.is_empty() {
            return Peer::Allowed;
        }
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        let Some(leaf) = leaf.and_then(|leaf| webpki::EndEntityCert::try_from(leaf).ok()) else {
            return Peer::Refused;
        };
        let named = |name: &str| allowed.iter().any(|allowed| allowed == name);
        // An exact name only: a wildcard certificate names nobody.
        if leaf.valid_uri_names().any(named) || leaf.valid_dns_names().any(named) {
            Peer::Allowed
        } else {
            Peer::Refused
        }
    }
}

fn read(settings: &ServerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            )
        }
    };
    let key = PrivateKeyDer::from_pem_file(&settings.private_key)
        .map_err(|error| TlsError::File { path: settings.private_key.clone(), what: error.to_string() })?;
    let mut config = builder.with_single_cert(certificates(&settings.certificate)?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |what: String| TlsError::File { path: path.clone(), what };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| fault(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| fault(error.to_string()))?;
    if certificates.is_empty() { Err(fault("holds no certificate".to_owned())) } else { Ok(certificates) }
}
