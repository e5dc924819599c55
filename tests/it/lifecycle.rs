//! The server comes and goes: sockets, signals, drains.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use envoy_types::pb::envoy::service::ext_proc::v3::HttpBody;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use rustix::process::Signal;
use serde_json::json;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::grpc::{Question, Stream, process, said};
use crate::support::{CHECK, Direct, Files, Issuer, PROCESS, Process, endpoint, field};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_says_so_first_answers_what_is_open_and_ends_with_0() {
    let mut direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut watch = HealthClient::new(channel.clone());
    let mut watch = watch.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let (mut late, mut never) =
        (Stream::open(&channel, &[]).await.unwrap(), Stream::open(&channel, &[]).await.unwrap());
    let mut answered = Stream::open(&channel, &[]).await.unwrap();
    said(&question.message(), &mut answered).await.authorization();
    // A connection that says nothing has nothing that could be answered.
    let silent = TcpStream::connect(direct.grpc).unwrap();

    direct.process.signal(Signal::TERM);
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    direct.until_ready_page("not ready", |status, page| status == 503 && page.contains("draining"));
    // The streams that are open are served as ever.
    said(&question.message(), &mut late).await.authorization();
    answered.phase(Phase::RequestBody(HttpBody { end_of_stream: true, ..HttpBody::default() }));
    assert!(matches!(answered.next().await.unwrap().unwrap().response, Some(Response::RequestBody(_))));
    never.close();
    assert_ne!(never.end().await, Code::Ok);
    late.close();
    answered.close();
    assert_eq!((late.end().await, answered.end().await), (Code::Ok, Code::Ok));
    // Whoever watches is told, and does not hold the drain up.
    assert!(watch.message().await.is_ok_and(|last| last.is_none()), "the watch goes on");
    let status = tokio::task::block_in_place(|| direct.bouncer.process.wait());
    assert_eq!(status.code(), Some(0), "{}", direct.process.text());
    drop(silent);
    assert!(!direct.socket.exists(), "the socket's file stays");
    assert!(TcpStream::connect(direct.grpc).is_err());
}

/// An older Envoy keeps the stream until the provider's answer is over, which may take minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_does_not_wait_for_streams_that_are_answered() {
    let mut direct = Direct::start();
    let mut answered = Stream::open(&direct.channel().await, &[]).await.unwrap();
    said(&Question::chat(&direct.token()).message(), &mut answered).await.authorization();
    direct.process.signal(Signal::TERM);
    assert_eq!(answered.end().await, Code::Ok);
    let status = tokio::task::block_in_place(|| direct.bouncer.process.wait());
    assert_eq!(status.code(), Some(0), "{}", direct.process.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_drain_that_is_not_over_in_time_cuts_off_and_ends_with_1() {
    let mut direct = Direct::with(|config| config["listen"] = json!({"shutdown_grace": "200ms"}));
    let channel = direct.channel().await;
    let mut stuck = Stream::open(&channel, &[]).await.unwrap();
    direct.process.signal(Signal::TERM);
    assert_ne!(stuck.end().await, Code::Ok);
    let status = tokio::task::block_in_place(|| direct.bouncer.process.wait());
    assert_eq!(status.code(), Some(1), "{}", direct.process.text());
    assert!(direct.process.text().contains("shutdown_grace was over"));
    assert!(!direct.socket.exists(), "the socket's file stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_open_streams_end_a_drain_with_an_answer_or_an_error() {
    let mut direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Stream::open(&channel, &[]).await.unwrap());
    }
    direct.process.signal(Signal::INT);
    for stream in &mut open {
        stream.send(question.message());
        stream.close();
        match stream.next().await {
            Ok(Some(answer)) => {
                assert!(matches!(answer.response, Some(Response::RequestHeaders(_))));
                assert_eq!(stream.end().await, Code::Ok);
            }
            Ok(None) => panic!("OK without an answer"),
            Err(status) => assert_ne!(status.code(), Code::Ok),
        }
    }
    drop((open, channel));
    let status = tokio::task::block_in_place(|| direct.bouncer.process.wait());
    assert_eq!(status.code(), Some(0), "{}", direct.process.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_killed_server_leaves_streams_with_an_error() {
    let mut direct = Direct::start();
    let channel = direct.channel().await;
    let mut open = Stream::open(&channel, &[]).await.unwrap();
    direct.process.signal(Signal::KILL);
    assert_ne!(open.end().await, Code::Ok);
    tokio::task::block_in_place(|| direct.bouncer.process.wait());
}

#[test]
fn a_running_server_leaves_no_core_dump() {
    let direct = Direct::start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", direct.process.id())).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
}

#[test]
fn a_second_server_on_a_socket_does_not_start() {
    let direct = Direct::start();
    let mode = fs::metadata(&direct.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let config = direct.files().path("bouncer.yaml");
    let mut second = Process::start(
        "the second",
        Command::new(env!("CARGO_BIN_EXE_bouncer"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(&config),
    );
    assert_eq!(second.wait().code(), Some(1));
    assert!(second.text().contains("another server answers there"), "{}", second.text());
    assert!(direct.socket.exists(), "it took the first one's socket away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_socket_of_a_killed_server_is_taken_over_and_answers() {
    let dead = |files: &Files| drop(UnixListener::bind(files.path("grpc.sock")).unwrap());
    let direct = Direct::begin(Issuer::start(), dead, |_| {});
    direct.bouncer.serves();
    let channel = endpoint(format!("unix:{}", direct.socket.display())).connect().await.unwrap();
    process(&channel, &Question::chat(&direct.token())).await.authorization();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let files = Files::new();
    files.write("grpc.sock", "precious");
    files.write(
        "bouncer.yaml",
        &json!({
            "listen": {"grpc": "unix:grpc.sock"},
            "callers": {"mtls": {"trust_domains": ["mesh.example"]}},
        })
        .to_string(),
    );
    let mut process = Process::start(
        "bouncer",
        Command::new(env!("CARGO_BIN_EXE_bouncer"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(files.path("bouncer.yaml")),
    );
    assert_eq!(process.wait().code(), Some(1));
    process.wait_for("why", |line| field(line, "error")?.contains("is no socket").then_some(()));
    assert_eq!(fs::read_to_string(files.path("grpc.sock")).unwrap(), "precious");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_of_a_draining_service_is_not_serving_for_each() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    // Holds the drain open.
    let _open = Stream::open(&channel, &[]).await.unwrap();
    let mut health = HealthClient::new(channel);
    for path in [PROCESS, CHECK] {
        let service = path.split('/').nth(1).unwrap().to_owned();
        let mut watch = health.watch(HealthCheckRequest { service }).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        if path == CHECK {
            direct.process.signal(Signal::TERM);
            assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        }
    }
}
