//! The real server as a child process, with its configuration and its secrets in a folder of its own.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, PATIENCE, Process, Request, http, provider, send};

/// A running `bouncer serve`.
pub(crate) struct Bouncer {
    pub(crate) process: Process,
    /// gRPC over TCP.
    pub(crate) grpc: SocketAddr,
    /// gRPC over a Unix socket.
    pub(crate) socket: PathBuf,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub(crate) admin: SocketAddr,
    files: Files,
    log: Log,
    environment: Vec<(&'static str, String)>,
}

/// How much it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// The more it says, the more the search for secrets is worth (THREATS L02).
    Everything,
    /// What it says in production, where a case makes tens of thousands of requests.
    Usual,
}

/// Configuration and secrets, before or while a server runs on them.
pub(crate) struct Files(TempDir);

impl Bouncer {
    /// Starts it and waits until it serves. `listen` and `admin` are set here; secrets go in by [`Files`].
    pub(crate) fn start(files: Files, config: Value) -> Self {
        let bouncer = Self::begin(files, config);
        bouncer.serves();
        bouncer
    }

    /// The same, but only until it listens.
    pub(crate) fn begin(files: Files, config: Value) -> Self {
        Self::begin_with(files, config, Log::Everything)
    }

    /// The same with another log.
    pub(crate) fn begin_with(files: Files, config: Value, log: Log) -> Self {
        Self::begin_in(files, config, log, Vec::new())
    }

    /// The same with these variables in its environment.
    pub(crate) fn begin_in(
        files: Files,
        mut config: Value,
        log: Log,
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        config["listen"]["grpc"] = json!(["127.0.0.1:0", "unix:grpc.sock"]);
        config["admin"] = json!({"listen": "127.0.0.1:0"});
        files.write("bouncer.yaml", &config.to_string());
        let (process, grpc, admin) = begin(&files, log, &environment);
        Self { process, grpc, socket: files.path("grpc.sock"), admin, files, log, environment }
    }

    /// Ends it as an operator does and starts another one on the same files. The socket's path stays. `meanwhile` runs after
    /// it was told to end.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce()) {
        self.process.signal(Signal::TERM);
        self.process.wait_for("that it drains", |line| (field(line, "message")? == "draining").then_some(()));
        meanwhile();
        assert!(self.process.wait().success(), "a clean drain ends with 0");
        (self.process, self.grpc, self.admin) = begin(&self.files, self.log, &self.environment);
        self.serves();
    }

    /// Waits until it serves.
    pub(crate) fn serves(&self) {
        self.process.wait_for("that it serves", |line| (field(line, "message")? == "serving").then_some(()));
    }

    /// Where its configuration lies; a file that is written there is taken up.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// SIGHUP: everything is read again.
    pub(crate) fn reload(&self) {
        self.process.signal(Signal::HUP);
    }

    /// An admin page.
    pub(crate) fn admin(&self, path: &str) -> Answer {
        send(self.admin, &Request::get(path).header("host", "localhost").header("connection", "close"))
    }

    /// The sum of the samples whose name is `name` and whose labels contain each of `labels` (`code="ok"`).
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        self.admin("/metrics")
            .text()
            .lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// What its admin pages and its output show to anybody who looks.
    pub(crate) fn everything_visible(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![("bouncer's output", self.process.text())];
        for path in ["/metrics", "/readyz", "/healthz"] {
            let request = Request::get(path).header("host", "localhost").header("connection", "close");
            // It may have been stopped on purpose.
            if let Ok(answer) = http::try_send(self.admin, &request) {
                shown.push((path, format!("{:?}\n{}", answer.headers, answer.text())));
            }
        }
        shown
    }
}

impl Log {
    const fn filter(self) -> &'static str {
        match self {
            Self::Everything => "trace,h2=trace,hyper=trace,reqwest=trace,rustls=trace,tonic=trace",
            Self::Usual => "info",
        }
    }
}

impl Files {
    pub(crate) fn new() -> Self {
        Self(super::folder())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file as editors and scripts should: whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let beside = path.with_extension("new");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&beside, text).unwrap();
        fs::rename(beside, path).unwrap();
    }

    /// `secrets/<name>/<key>` as a plain file.
    pub(crate) fn write_secret(&self, name: &str, key: &str, value: &str) {
        self.write(&format!("secrets/{name}/{key}"), value);
    }

    /// The same as the kubelet does it: a new folder, and `..data` swapped to it in one step.
    pub(crate) fn mount_secret(&self, name: &str, key: &str, value: &str) {
        self.mount_secrets(name, &[(key, value)]);
    }

    /// The same with several keys.
    pub(crate) fn mount_secrets(&self, name: &str, values: &[(&str, &str)]) {
        let mount = self.path(&format!("secrets/{name}"));
        let version = format!("..{}", provider::random());
        fs::create_dir_all(mount.join(&version)).unwrap();
        for (key, value) in values {
            fs::write(mount.join(&version).join(key), value).unwrap();
        }
        swap(Path::new(&version), &mount.join("..data"));
        for (key, _) in values {
            swap(&Path::new("..data").join(key), &mount.join(key));
        }
    }
}

fn begin(
    files: &Files,
    log: Log,
    environment: &[(&'static str, String)],
) -> (Process, SocketAddr, SocketAddr) {
    let process = Process::start(
        "bouncer",
        Command::new(env!("CARGO_BIN_EXE_bouncer"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(files.path("bouncer.yaml"))
            .env("RUST_LOG", log.filter())
            .envs(environment.iter().map(|(name, value)| (name, value))),
    );
    // Ten thousand entries take their time without optimisation.
    let patience = PATIENCE * 3;
    let grpc = process.wait_for_at_most(patience, "its gRPC address", |line| listening(line, "grpc"));
    let admin = process.wait_for_at_most(patience, "its admin address", |line| listening(line, "admin"));
    (process, grpc, admin)
}

fn swap(target: &Path, link: &Path) {
    let beside = link.with_file_name("..data_tmp");
    symlink(target, &beside).unwrap();
    fs::rename(beside, link).unwrap();
}

/// The address of a line `listening`, where it is one of this service and of TCP.
fn listening(line: &str, service: &str) -> Option<SocketAddr> {
    let is = field(line, "message")? == "listening" && field(line, "service")? == service;
    is.then(|| field(line, "address"))??.parse().ok()
}

/// A field of a JSON log line, at the top or under `fields`.
pub(crate) fn field(line: &str, name: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let value = line.get(name).or_else(|| line.get("fields")?.get(name))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
