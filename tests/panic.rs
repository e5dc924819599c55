//! A panic while a request is decided (THREATS P18) costs that request, with an error, and nothing else. A program of its
//! own, since the server's panic hook is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bouncer::app::App;
use bouncer::base::{Clock, Now, SystemClock};
use bouncer::config;
use bouncer::serve::Address;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as CheckedRequest};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// The machine's clock, of which one reading to come panics; 0 is none.
#[derive(Debug, Default)]
struct Broken(AtomicU32);

impl Clock for Broken {
    fn now(&self) -> Now {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert_ne!(left, Ok(1), "the clock fell down and said {SECRET}");
        SystemClock.now()
    }
}

const SECRET: &str = "sk-that-a-panic-must-not-tell";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_internal_and_the_next_request_is_served() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir_all(folder.path().join("secrets/custom")).unwrap();
    fs::write(folder.path().join("secrets/custom/api_key"), SECRET).unwrap();
    let text = json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "callers": {"mtls": {"from": "xfcc", "trust_domains": ["mesh.example"]}},
        "providers": [{
            "provider": "custom", "auth_type": "api_key", "credential_ref": "custom",
            "match": {"authority": ["llm.example"]},
        }],
    });
    let config = config::from_text(&folder.path().join("bouncer.yaml"), &text.to_string()).unwrap();
    let clock = Arc::new(Broken::default());
    let (app, _reloader) = App::start(config, Arc::<Broken>::clone(&clock)).await.unwrap();
    let [Address::Tcp(address)] = app.addresses() else { panic!("{:?}", app.addresses()) };
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    // From then on nobody but requests reads the clock.
    let mut health = HealthClient::new(channel.clone());
    let mut health = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    while health.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}

    // When it comes, and when its outcome is counted.
    for reading in [1, 2] {
        clock.0.store(reading, Ordering::SeqCst);
        assert_eq!(process(&channel).await, Err(Code::Internal), "{reading}");
        assert_eq!(process(&channel).await, Ok(()), "{reading}");
    }
    clock.0.store(2, Ordering::SeqCst);
    assert_eq!(check(&channel).await, Err(Code::Internal));
    assert_eq!(check(&channel).await, Ok(()));

    // A stream is let go of after its client heard the end.
    let released = async { while !metrics(&app).await.contains("\nbouncer_streams_active 0\n") {} };
    timeout(Duration::from_secs(20), released).await.expect("a stream stays");
    let page = metrics(&app).await;
    assert!(page.contains("\nbouncer_panics_total 3\n"), "{page}");
    assert!(!page.contains(SECRET));
}

fn lines(with_pseudo: bool) -> HeaderMap {
    let pseudo = [(":method", "POST"), (":authority", "llm.example"), (":path", "/v1/chat")];
    let xfcc = ("x-forwarded-client-cert", "URI=spiffe://mesh.example/ns/jobs/sa/batch");
    let lines = pseudo.into_iter().filter(|_| with_pseudo).chain([xfcc]);
    let line = |(name, value): (&str, &str)| HeaderValue {
        key: name.to_owned(),
        value: String::new(),
        raw_value: value.into(),
    };
    HeaderMap { headers: lines.map(line).collect() }
}

/// Asks by ext_proc and closes the stream.
async fn process(channel: &Channel) -> Result<(), Code> {
    let headers = HttpHeaders { headers: Some(lines(true)), ..HttpHeaders::default() };
    let message =
        ProcessingRequest { request: Some(Phase::RequestHeaders(headers)), ..ProcessingRequest::default() };
    let mut client = ExternalProcessorClient::new(channel.clone());
    let mut answers = client.process(tokio_stream::once(message)).await.unwrap().into_inner();
    match answers.message().await {
        Ok(answer) => {
            assert!(answer.unwrap().response.is_some());
            assert!(answers.message().await.unwrap().is_none());
            Ok(())
        }
        Err(status) => {
            assert!(!status.message().contains(SECRET));
            Err(status.code())
        }
    }
}

/// Asks by ext_authz.
async fn check(channel: &Channel) -> Result<(), Code> {
    let http = HttpRequest {
        method: "POST".to_owned(),
        host: "llm.example".to_owned(),
        path: "/v1/chat".to_owned(),
        header_map: Some(lines(false)),
        ..HttpRequest::default()
    };
    let request = CheckedRequest { http: Some(http), ..CheckedRequest::default() };
    let attributes = AttributeContext { request: Some(request), ..AttributeContext::default() };
    let answer =
        AuthorizationClient::new(channel.clone()).check(CheckRequest { attributes: Some(attributes) }).await;
    match answer {
        Ok(answer) => {
            assert_eq!(answer.into_inner().status.unwrap().code, 0);
            Ok(())
        }
        Err(status) => {
            assert!(!status.message().contains(SECRET));
            Err(status.code())
        }
    }
}

async fn metrics(app: &App) -> String {
    let mut admin = TcpStream::connect(app.admin().unwrap()).await.unwrap();
    admin.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    admin.read_to_string(&mut page).await.unwrap();
    page
}
