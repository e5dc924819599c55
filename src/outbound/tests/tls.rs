//! T13: who is trusted, and with which certificate we show ourselves.

use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::outbound::{ClientIdentity, ClientTls, Http, OutboundError, TlsFile};

/// An authority with its files.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: String,
    key_pem: String,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&key).unwrap();
    Authority { der: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
}

impl Authority {
    fn leaf(&self, name: &str, with: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        with(&mut params);
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            chain: vec![made.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            pem: made.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

/// A server that says `{}` to whoever comes through the handshake. `clients` is who signs those that may.
async fn serve(leaf: Leaf, clients: Option<&Authority>) -> u16 {
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        }
    };
    let config = builder.with_single_cert(leaf.chain, leaf.key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let _ = stream.read(&mut [0; 4096]).await.ok()?;
                let reply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                stream.write_all(reply.as_bytes()).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    port
}

/// A client for which every name is this machine.
fn client(tls: ClientTls) -> Http {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let lookup =
        Arc::new(move |_| Box::pin(async move { Ok(vec![here]) }) as crate::outbound::address::LookingUp);
    Http::with_lookup(lookup, Duration::from_secs(4)).unwrap().with_tls(tls)
}

async fn fetch(http: &Http, host: &str, port: u16) -> Result<(), OutboundError> {
    let url = Url::parse(&format!("https://{host}:{port}/")).unwrap();
    http.document(&url, 100).await.map(|_| ())
}

fn trusting(ca: PathBuf) -> ClientTls {
    ClientTls { ca: Some(ca), identity: None }
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn t13_an_own_authority_is_trusted_for_its_entry_only() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (authority(), authority());
    let port = serve(ours.leaf("idp.example", |_| {}), None).await;
    let other = serve(theirs.leaf("idp.example", |_| {}), None).await;
    let http = client(trusting(file(&folder, "ca.crt", &ours.pem)));
    assert_eq!(fetch(&http, "idp.example", port).await, Ok(()));
    assert_eq!(fetch(&http, "idp.example", other).await, Err(OutboundError::Certificate));
    assert_eq!(
        fetch(&client(ClientTls::default()), "idp.example", port).await,
        Err(OutboundError::Certificate),
        "nor does anybody else trust it"
    );
}

#[tokio::test]
async fn t13_a_certificate_that_is_self_signed_over_or_somebody_else_s_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority();
    let http = client(trusting(file(&folder, "ca.crt", &ours.pem)));
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["idp.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let self_signed = Leaf {
        chain: vec![own.der().clone()],
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        pem: String::new(),
        key_pem: String::new(),
    };
    let expired = ours.leaf("idp.example", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early = ours.leaf("idp.example", |params| params.not_before = rcgen::date_time_ymd(2200, 1, 1));
    let elsewhere = ours.leaf("idp.example.org", |_| {});
    for leaf in [self_signed, expired, early, elsewhere] {
        let port = serve(leaf, None).await;
        assert_eq!(fetch(&http, "idp.example", port).await, Err(OutboundError::Certificate));
    }
}

#[tokio::test]
async fn t13_tls_1_1_is_not_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.ok()?;
        let _ = stream.read(&mut [0; 4096]).await.ok()?;
        // A ServerHello of TLS 1.1, with a cipher suite of its time.
        let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        stream.write_all(&hello).await.ok()?;
        stream.read(&mut [0; 64]).await.ok()
    });
    let result = fetch(&client(ClientTls::default()), "idp.example", port).await;
    assert_eq!(result, Err(OutboundError::Tls));
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_read_again_when_its_files_change() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients, strangers) = (authority(), authority(), authority());
    let port = serve(servers.leaf("idp.example", |_| {}), Some(&clients)).await;
    let (known, stranger) = (clients.leaf("bouncer", |_| {}), strangers.leaf("bouncer", |_| {}));
    let ca = file(&folder, "ca.crt", &servers.pem);
    let certificate = file(&folder, "tls.crt", &stranger.pem);
    let private_key = file(&folder, "tls.key", &stranger.key_pem);
    let identity = Some(ClientIdentity { certificate, private_key });
    let http = client(ClientTls { ca: Some(ca.clone()), identity });
    assert!(fetch(&http, "idp.example", port).await.is_err());
    file(&folder, "tls.crt", &known.pem);
    assert_eq!(
        fetch(&http, "idp.example", port).await,
        Err(OutboundError::TlsFile(TlsFile::PrivateKey)),
        "the key is still the other one's"
    );
    file(&folder, "tls.key", &known.key_pem);
    assert_eq!(fetch(&http, "idp.example", port).await, Ok(()));
    assert!(fetch(&client(trusting(ca)), "idp.example", port).await.is_err(), "without one");
}

#[tokio::test]
async fn t13_a_file_of_tls_that_cannot_be_used_is_named_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority();
    let leaf = ours.leaf("bouncer", |_| {});
    let certificate = file(&folder, "tls.crt", &leaf.pem);
    let private_key = file(&folder, "tls.key", &leaf.key_pem);
    let nonsense = file(&folder, "nonsense", "hunter2");
    let missing = folder.path().join("missing");
    let big = file(&folder, "big", &ours.pem.repeat(4_000));
    let identity = |certificate: &PathBuf, private_key: &PathBuf| ClientTls {
        ca: None,
        identity: Some(ClientIdentity { certificate: certificate.clone(), private_key: private_key.clone() }),
    };
    for (tls, expected) in [
        (trusting(missing.clone()), TlsFile::Ca),
        (trusting(nonsense.clone()), TlsFile::Ca),
        (trusting(big), TlsFile::Ca),
        (trusting(folder.path().to_owned()), TlsFile::Ca),
        (identity(&missing, &private_key), TlsFile::Certificate),
        (identity(&nonsense, &private_key), TlsFile::Certificate),
        (identity(&certificate, &missing), TlsFile::PrivateKey),
        (identity(&certificate, &nonsense), TlsFile::PrivateKey),
        (identity(&certificate, &certificate), TlsFile::PrivateKey),
    ] {
        let error = fetch(&client(tls.clone()), "idp.example", 1).await.unwrap_err();
        assert_eq!(error, OutboundError::TlsFile(expected), "{tls:?}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
