//! `cargo bench --bench bodies`: what bouncer takes of memory while many large bodies are signed at once, by each way in which
//! it comes by them. See benches/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a benchmark reads the clock and ends where its surroundings are missing"
)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request as Asked};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};

#[path = "support/window.rs"]
mod window;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MIB: usize = 1 << 20;
const PIECE: usize = 64 << 10;
const CALLER: &str = "spiffe://mesh.example/ns/llm/sa/client";
const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const PATH: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
/// Nobody waits longer: what hangs fails the run.
const PATIENCE: Duration = Duration::from_secs(120);

/// When memory is looked at again, with small bodies meanwhile.
const LATER: Duration = Duration::from_secs(3);

/// Peak memory of bodies that are signed at the same time.
#[derive(Parser)]
struct Options {
    /// Bodies at once
    #[arg(long, default_value_t = 100)]
    bodies: usize,
    /// MiB of each
    #[arg(long, default_value_t = 10)]
    size: usize,
    /// `limits.body_memory` in MiB
    #[arg(long, default_value_t = 256)]
    body_memory: usize,
    /// HTTP/2 connections (Envoy opens one a worker)
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Exit with 1 when the peak is this many MiB above what it was before and body_memory
    #[arg(long)]
    max_base: Option<usize>,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    bench: bool,
}

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// ext_proc, whole.
    Buffered,
    /// ext_proc, in pieces that go back.
    FullDuplex,
    /// ext_authz.
    Check,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Signed,
    Overloaded,
}

/// A bouncer that runs until this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts the program too, and wants no figures.
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&options)));
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

async fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for way in [Way::Buffered, Way::FullDuplex, Way::Check] {
        let server = Server::start(options)?;
        let channels = server.channels(options.connections).await?;
        // The first request finds everything cold.
        let one = Options { bodies: 1, size: 1, bench: true, max_base: None, ..*options };
        while all(way, &one, &channels).await?.0 == 0 {}
        let before = server.memory("VmRSS")?;
        let start = Instant::now();
        let (signed, overloaded) = all(way, options, &channels).await?;
        let took = start.elapsed();
        let peak = server.memory("VmHWM")?;
        // The allocator gives memory back while it works.
        let start = Instant::now();
        while start.elapsed() < LATER {
            all(way, &one, &channels).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let after = server.memory("VmRSS")?;
        writeln!(
            std::io::stdout(),
            "{way:?}: {} bodies of {} MiB, body_memory {} MiB: {signed} signed, {overloaded} without room (503), {:.2} s; MiB resident: {before} before, {peak} at most, {after} a little later",
            options.bodies,
            options.size,
            options.body_memory,
            took.as_secs_f64(),
        )?;
        if options.max_base.is_some_and(|base| peak > before + options.body_memory + base) {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// All bodies at once: how many were signed, and how many found no room.
async fn all(way: Way, options: &Options, channels: &[Channel]) -> Result<(usize, usize), Failure> {
    let body = vec![b'x'; options.size * MIB];
    let mut asking = JoinSet::new();
    for channel in channels.iter().cycle().take(options.bodies) {
        let (channel, body) = (channel.clone(), body.clone());
        asking.spawn(tokio::time::timeout(PATIENCE, async move {
            match way {
                Way::Buffered => process(channel, body, BodySendMode::None).await,
                Way::FullDuplex => process(channel, body, BodySendMode::FullDuplexStreamed).await,
                Way::Check => check(channel, body).await,
            }
        }));
    }
    let (mut signed, mut overloaded) = (0, 0);
    while let Some(one) = asking.join_next().await {
        match one?.map_err(|_elapsed| "a request hangs")?? {
            End::Signed => signed += 1,
            End::Overloaded => overloaded += 1,
        }
    }
    Ok((signed, overloaded))
}

/// One request over ext_proc.
async fn process(channel: Channel, body: Vec<u8>, mode: BodySendMode) -> Result<End, Failure> {
    let (out, messages) = mpsc::unbounded_channel();
    let part = |part: &[u8], end: bool| {
        let body = HttpBody { body: part.to_vec(), end_of_stream: end, ..HttpBody::default() };
        ProcessingRequest { request: Some(Phase::RequestBody(body)), ..ProcessingRequest::default() }
    };
    out.send(headers(body.len(), mode))?;
    if mode == BodySendMode::FullDuplexStreamed {
        for piece in body.chunks(PIECE) {
            out.send(part(piece, false))?;
        }
        out.send(part(&[], true))?;
    }
    let mut client = ExternalProcessorClient::new(channel).max_decoding_message_size(MIB);
    let mut answers = client.process(UnboundedReceiverStream::new(messages)).await?.into_inner();
    let mut returned = 0;
    while let Some(answer) = answers.message().await? {
        match answer.response {
            Some(Response::ImmediateResponse(no)) if no.status.as_ref().is_some_and(|no| no.code == 503) => {
                return Ok(End::Overloaded);
            }
            Some(Response::RequestHeaders(_)) if answer.mode_override.is_some() && returned == 0 => {
                if mode == BodySendMode::None {
                    out.send(part(&body, true))?;
                }
            }
            Some(Response::RequestHeaders(_)) => {}
            Some(Response::RequestBody(_)) if mode == BodySendMode::None => return Ok(End::Signed),
            Some(Response::RequestBody(piece)) => {
                returned += length(piece);
                if returned == body.len() {
                    return Ok(End::Signed);
                }
            }
            other => return Err(format!("not an answer: {other:?}").into()),
        }
    }
    Err("an end without an answer".into())
}

fn length(piece: envoy_types::pb::envoy::service::ext_proc::v3::BodyResponse) -> usize {
    use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
    match piece.response.and_then(|common| common.body_mutation?.mutation) {
        Some(Mutation::StreamedResponse(piece)) => piece.body.len(),
        _ => 0,
    }
}

fn headers(length: usize, mode: BodySendMode) -> ProcessingRequest {
    let lines = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", PATH),
        ("content-type", "application/json"),
        ("content-length", &*length.to_string()),
    ];
    let headers = lines.map(|(key, value)| HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    });
    let value = |kind| Value { kind: Some(kind) };
    let fields = HashMap::from([
        ("xds.cluster_name".to_owned(), value(Kind::StringValue("bedrock".to_owned()))),
        ("connection.mtls".to_owned(), value(Kind::BoolValue(true))),
        ("connection.uri_san_peer_certificate".to_owned(), value(Kind::StringValue(CALLER.to_owned()))),
    ]);
    ProcessingRequest {
        request: Some(Phase::RequestHeaders(HttpHeaders {
            headers: Some(HeaderMap { headers: headers.to_vec() }),
            ..HttpHeaders::default()
        })),
        attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), Struct { fields })]),
        protocol_config: Some(ProtocolConfiguration {
            request_body_mode: mode.into(),
            ..ProtocolConfiguration::default()
        }),
        ..ProcessingRequest::default()
    }
}

/// One request over ext_authz.
async fn check(channel: Channel, body: Vec<u8>) -> Result<End, Failure> {
    let http = HttpRequest {
        method: "POST".to_owned(),
        host: HOST.to_owned(),
        path: PATH.to_owned(),
        headers: HashMap::from([("content-length".to_owned(), body.len().to_string())]),
        raw_body: body,
        ..HttpRequest::default()
    };
    let attributes = AttributeContext {
        source: Some(Peer { principal: CALLER.to_owned(), ..Peer::default() }),
        request: Some(Asked { http: Some(http), ..Asked::default() }),
        context_extensions: HashMap::from([("provider".to_owned(), "bedrock".to_owned())]),
        ..AttributeContext::default()
    };
    let request = CheckRequest { attributes: Some(attributes) };
    let answer = AuthorizationClient::new(channel).check(request).await?.into_inner();
    match answer.http_response {
        Some(HttpResponse::OkResponse(_)) => Ok(End::Signed),
        Some(HttpResponse::DeniedResponse(no)) if no.status.as_ref().is_some_and(|no| no.code == 503) => {
            Ok(End::Overloaded)
        }
        other => Err(format!("not an answer: {other:?}").into()),
    }
}

impl Server {
    fn start(options: &Options) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let secret = folder.path().join("secrets/bedrock");
        fs::create_dir_all(&secret)?;
        fs::write(secret.join("access_key_id"), "AKIDEXAMPLE")?;
        fs::write(secret.join("secret_access_key"), "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")?;
        let config = json!({
            "listen": {"grpc": "127.0.0.1:0"},
            "admin": {"listen": "127.0.0.1:0"},
            "callers": {"mtls": {"trust_domains": ["mesh.example"]}},
            "providers": [{
                "provider": "bedrock", "auth_type": "aws_sigv4", "credential_ref": "bedrock",
                "aws": {"region": "us-east-1"}, "match": {"cluster": ["bedrock"]},
            }],
            "limits": {
                "max_body": format!("{}MiB", options.size.max(1)),
                "body_memory": format!("{}MiB", options.body_memory),
            },
            "secrets": {"file": {"root": "secrets"}},
        });
        let file = folder.path().join("bouncer.yaml");
        fs::write(&file, config.to_string())?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_bouncer"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(file)
            // A filter from outside could hide the line that is waited for.
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let address = log.by_ref().map_while(Result::ok).find_map(|line| listening(&line));
        // A pipe that nobody empties would stop the server at its next lines.
        std::thread::spawn(move || log.for_each(drop));
        let Some(address) = address else {
            let _ = child.kill();
            return Err("the server does not listen".into());
        };
        Ok(Self { child, address, _folder: folder })
    }

    async fn channels(&self, count: usize) -> Result<Vec<Channel>, Failure> {
        let mut channels = Vec::new();
        for _ in 0..count.max(1) {
            let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?
                .initial_stream_window_size(window::STREAM)
                .initial_connection_window_size(window::CONNECTION);
            channels.push(endpoint.connect().await?);
        }
        Ok(channels)
    }

    /// MiB, of `/proc/<pid>/status`.
    fn memory(&self, field: &str) -> Result<usize, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib: usize = line.ok_or("no such field")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the log line with which the gRPC service starts.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let text = |name| fields.get(name).and_then(serde_json::Value::as_str);
    (text("message") == Some("listening") && text("service") == Some("grpc"))
        .then(|| text("address"))??
        .parse()
        .ok()
}
