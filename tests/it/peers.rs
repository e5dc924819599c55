//! Who may speak gRPC to bouncer over TCP: mutual TLS, and names.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::grpc::{Question, Stream, check, process};
use crate::support::{Certificates, Direct, PATIENCE, endpoint, eventually};

const ENVOY: &str = "spiffe://mesh.example/ns/gateway/sa/envoy";

fn start(certificates: &Certificates, allowed_peers: &[&str]) -> Direct {
    start_with(certificates, allowed_peers, |_| {})
}

fn start_with(
    certificates: &Certificates,
    allowed_peers: &[&str],
    change: impl FnOnce(&mut Value),
) -> Direct {
    let folder = certificates.path();
    Direct::with(|config| {
        change(config);
        config["listen"]["tls"] = json!({
            "certificate": folder.join("server.pem"),
            "private_key": folder.join("server.key"),
            "client_ca": folder.join("ca.pem"),
            "allowed_peers": allowed_peers,
        });
    })
}

fn tls(folder: &Path, client: Option<&str>) -> ClientTlsConfig {
    let read = |name: String| fs::read(folder.join(name)).unwrap();
    let config = ClientTlsConfig::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(read("ca.pem".to_owned())));
    match client {
        None => config,
        Some(name) => {
            config.identity(Identity::from_pem(read(format!("{name}.pem")), read(format!("{name}.key"))))
        }
    }
}

async fn connect(direct: &Direct, config: ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    endpoint(format!("https://{}", direct.grpc)).tls_config(config).unwrap().connect().await
}

/// TLS 1.3 tells a client of a refused certificate only after its own handshake is over.
async fn reaches_health(channel: Result<Channel, tonic::transport::Error>) -> bool {
    let Ok(channel) = channel else { return false };
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_certificate_of_the_authority_there_is_no_connection() {
    let certificates = Certificates::new();
    let direct = start(&certificates, &[]);
    let plain = endpoint(format!("http://{}", direct.grpc)).connect().await;
    assert!(!reaches_health(plain).await, "without TLS");
    assert!(
        !reaches_health(connect(&direct, tls(&certificates.path(), None)).await).await,
        "without certificate"
    );
    let strangers = Certificates::new();
    strangers.client("envoy", &[ENVOY]);
    let folder = strangers.path();
    fs::copy(certificates.path().join("ca.pem"), folder.join("ca.pem")).unwrap();
    assert!(
        !reaches_health(connect(&direct, tls(&folder, Some("envoy"))).await).await,
        "of another authority"
    );
    // Whoever the authority signed, where no names are asked for.
    certificates.client("anybody", &["spiffe://elsewhere.example/x"]);
    assert!(reaches_health(connect(&direct, tls(&certificates.path(), Some("anybody"))).await).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_of_another_name_is_unauthenticated_on_every_method() {
    let certificates = Certificates::new();
    for (name, uri) in [
        ("other", "spiffe://mesh.example/ns/jobs/sa/batch"),
        ("longer", "spiffe://mesh.example/ns/gateway/sa/envoy/x"),
        ("upper", "spiffe://mesh.example/ns/gateway/sa/Envoy"),
    ] {
        certificates.client(name, &[uri]);
    }
    certificates.client("nameless", &[]);
    let direct = start(&certificates, &[ENVOY, "envoy.mesh.example"]);
    let question = Question::chat(&direct.token());
    for name in ["other", "longer", "upper", "nameless", "server"] {
        let channel = connect(&direct, tls(&certificates.path(), Some(name))).await.unwrap();
        let refused = Stream::open(&channel, &[]).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{name}");
        let refused = check(&channel, question.check()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{name}");
        let mut health = HealthClient::new(channel.clone());
        let refused = health.check(HealthCheckRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{name}");
        let refused = health.watch(HealthCheckRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{name}");
    }
    assert_eq!(direct.metric("bouncer_requests_total", &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_peer_does_not_keep_the_place_of_another() {
    let certificates = Certificates::new();
    certificates.client("other", &["spiffe://mesh.example/ns/jobs/sa/batch"]);
    certificates.client("envoy", &[ENVOY]);
    let folder = certificates.path();
    let direct =
        start_with(&certificates, &[ENVOY], |config| config["limits"] = json!({"max_connections": 1}));
    let refused = connect(&direct, tls(&folder, Some("other"))).await.unwrap();
    assert_eq!(Stream::open(&refused, &[]).await.err().unwrap().code(), Code::Unauthenticated);
    // Until there is a place, who comes is sent away.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let served = async {
        loop {
            pace.tick().await;
            if let Ok(channel) = connect(&direct, tls(&folder, Some("envoy"))).await
                && Stream::open(&channel, &[]).await.is_ok()
            {
                return process(&channel, &Question::chat(&direct.token())).await.authorization();
            }
        }
    };
    timeout(PATIENCE, served).await.expect("the refused one keeps the only place");
    drop(refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_of_the_right_uri_or_dns_name_is_served() {
    let certificates = Certificates::new();
    certificates.client("envoy", &["spiffe://mesh.example/other", ENVOY]);
    // The server's own certificate has the DNS name localhost.
    let direct = start(&certificates, &[ENVOY, "localhost"]);
    for name in ["envoy", "server"] {
        let channel = connect(&direct, tls(&certificates.path(), Some(name))).await.unwrap();
        process(&channel, &Question::chat(&direct.token())).await.authorization();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rotated_certificate_is_shown_to_the_next_peer() {
    let certificates = Certificates::new();
    certificates.client("envoy", &[ENVOY]);
    let folder = certificates.path();
    let direct = start(&certificates, &[ENVOY]);
    let before = tls(&folder, Some("envoy"));
    let open = connect(&direct, before.clone()).await.unwrap();
    let question = Question::chat(&direct.token());
    process(&open, &question).await.authorization();

    // Half a file is no certificate: the one in use stays.
    fs::write(folder.join("server.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    direct.process.wait_for("that the certificate stays", |line| {
        line.contains("the certificate in use stays").then_some(())
    });
    assert!(reaches_health(connect(&direct, before.clone()).await).await);

    // Another authority signs everybody anew.
    let next = Certificates::new();
    next.client("envoy", &[ENVOY]);
    for file in ["ca.pem", "server.key", "server.pem"] {
        fs::copy(next.path().join(file), folder.join(file)).unwrap();
    }
    let after = tls(&next.path(), Some("envoy"));
    let runtime = tokio::runtime::Handle::current();
    let channel = tokio::task::block_in_place(|| {
        eventually("the new certificate", || {
            runtime.block_on(async {
                let channel = connect(&direct, after.clone()).await.ok()?;
                reaches_health(Ok(channel.clone())).await.then_some(channel)
            })
        })
    });
    process(&channel, &question).await.authorization();
    assert!(!reaches_health(connect(&direct, before).await).await, "the old authority");
    // What is open stays open.
    process(&open, &question).await.authorization();
}
