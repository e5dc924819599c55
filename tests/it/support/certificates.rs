//! A certificate authority of the case's own, and clients that show its certificates.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use super::{Connection, PATIENCE, folder};

/// A folder with `ca.pem`, `server.pem`, `server.key`, and `<name>.pem`, `<name>.key` for every client.
pub(crate) struct Certificates {
    folder: TempDir,
    ca: Issuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self::for_names(&[])
    }

    /// The server's certificate is good for these names too, beside `localhost`.
    pub(crate) fn for_names(names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the case's own CA");
        let key = KeyPair::generate().unwrap();
        let folder = folder();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let certificates = Self { folder, ca: Issuer::new(params, key) };
        let names = names.iter().chain(&["localhost"]);
        let sans: Vec<_> = names.map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
        certificates.issue("server", &sans);
        certificates
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A client with these URI SANs.
    pub(crate) fn client(&self, name: &str, uris: &[&str]) {
        let sans: Vec<_> = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        self.issue(name, &sans);
    }

    /// Connects as that client.
    pub(crate) fn connect(
        &self,
        name: &str,
        address: SocketAddr,
    ) -> Connection<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let tls =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection::over(StreamOwned::new(tls, stream))
    }

    fn issue(&self, name: &str, sans: &[SanType]) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = sans.to_vec();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
