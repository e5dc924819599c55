//! Starts a server, a process of its own, and learns from its log where it listens.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Failure;
use super::admin::page;
use super::client::Address;
use super::process::Process;

/// How long a server may take to say that it listens, and then to be ready.
const START: Duration = Duration::from_secs(60);

/// A server that runs until this is dropped.
pub(crate) struct Server {
    /// Its process.
    pub(crate) process: Process,
    /// Where it serves gRPC.
    pub(crate) addresses: Vec<Address>,
    /// Where its admin pages are; a no-op has none.
    pub(crate) admin: Option<SocketAddr>,
    /// From its start until it was ready, or a no-op listened.
    pub(crate) took: Duration,
    child: Child,
}

impl Server {
    /// Starts `bouncer serve`, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub(crate) async fn bouncer(config: &Path) -> Result<Self, Failure> {
        let arguments = ["serve", "--log-format", "json", "--config"].map(OsStr::new);
        let program = Path::new(env!("CARGO_BIN_EXE_bouncer"));
        let began = Instant::now();
        let server = Self::start(program, arguments.into_iter().chain([config.as_os_str()]), 2, 1).await?;
        server.ready().await?;
        Ok(Self { took: began.elapsed(), ..server })
    }

    /// Starts `program` and waits until it listens on as many addresses of each kind as it has listeners.
    ///
    /// # Errors
    /// When it ends, or does not say in time where it listens.
    pub(crate) async fn start<'a>(
        program: &Path,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        listeners: usize,
        admins: usize,
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            // Our stdout carries the figures, and a filter from outside could hide the lines that we wait for.
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let process = Process(child.id().ok_or("the server has ended")?);
        let mut log = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let mut seen = String::new();
        let (mut addresses, mut admin) = (Vec::new(), None);
        while addresses.len() < listeners || admins > usize::from(admin.is_some()) {
            let from = seen.len();
            let read = timeout(START, log.read_line(&mut seen)).await;
            if !matches!(read, Ok(Ok(1..))) {
                return Err(format!("{} does not listen:\n{seen}", program.display()).into());
            }
            match seen.get(from..).and_then(listening) {
                Some((service, address)) if service == "grpc" => addresses.push(Address::parse(&address)?),
                Some((_, address)) => admin = Some(address.parse()?),
                None => {}
            }
        }
        // A pipe that nobody empties would stop the server at its next lines.
        tokio::spawn(async move {
            let mut rest = [0; 4096];
            while matches!(log.read(&mut rest).await, Ok(1..)) {}
        });
        Ok(Self { process, addresses, admin, took: began.elapsed(), child })
    }

    /// Ends it, and waits until it is gone: the next one may want the same socket.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Waits until `/readyz` says 200.
    async fn ready(&self) -> Result<(), Failure> {
        let Some(admin) = self.admin else { return Ok(()) };
        let began = Instant::now();
        loop {
            match page(admin, "/readyz").await {
                Ok((200, _)) => return Ok(()),
                other if began.elapsed() > START => {
                    return Err(format!("the server does not become ready: {other:?}").into());
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Its TCP address.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn tcp(&self) -> Result<&Address, Failure> {
        self.by_transport("tcp")
    }

    /// Its address of this transport.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn by_transport(&self, transport: &str) -> Result<&Address, Failure> {
        let mut addresses = self.addresses.iter();
        addresses.find(|address| address.transport() == transport).ok_or_else(|| "no such listener".into())
    }
}

/// Service and address in the log line with which one starts; the fields stand in `fields` or beside the others.
fn listening(line: &str) -> Option<(String, String)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    (text("message").as_deref() == Some("listening")).then(|| Some((text("service")?, text("address")?)))?
}

/// Has cargo build another bench with the same profile, and say where it is.
///
/// # Errors
/// When it cannot be built.
pub(crate) async fn build(bench: &str) -> Result<PathBuf, Failure> {
    let is_debug = std::env::current_exe()?.components().any(|part| part.as_os_str() == "debug");
    let profile = if is_debug { "dev" } else { "bench" };
    let arguments = ["bench", "--quiet", "--bench", bench, "--no-run", "--profile", profile];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line.pointer("/target/name").and_then(Value::as_str) == Some(bench))
        .find_map(|line| line.get("executable")?.as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo did not build {bench}").into())
}
