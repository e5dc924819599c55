//! Starts the servers, each a process of its own, and learns from their log where they listen.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failure;
use crate::caller::{AUDIENCE, Issuer};
use crate::driver::Address;
use crate::exchange::{CLUSTER, Question};
use crate::noop::KEY;

/// How long a server may take to say that it listens.
const START: Duration = Duration::from_secs(15);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The no-op as most people write it; every ratio is to this one.
    Naive,
    /// The no-op with the runtime, the allocator and the stream chosen well.
    Tuned,
    /// The real server: a JWT from the cache, the MFA rule, an API key.
    Bouncer,
    /// The same with a token of an OAuth2 server in the place of the key.
    Token,
    /// The same, and the headers of the provider's answer are looked at.
    Feedback,
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    /// Its process.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) addresses: Vec<Address>,
    _child: Child,
}

impl Kind {
    /// All of them, in the order in which a round drives them.
    pub(crate) const ALL: [Self; 5] = [Self::Naive, Self::Tuned, Self::Bouncer, Self::Token, Self::Feedback];

    /// What it is asked.
    #[must_use]
    pub(crate) fn asks(self, question: &Question) -> Question {
        match self {
            Self::Feedback => question.clone().with_response(),
            Self::Naive | Self::Tuned | Self::Bouncer | Self::Token => question.clone(),
        }
    }

    /// As in `--servers` and in the table.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Tuned => "tuned",
            Self::Bouncer => "bouncer",
            Self::Token => "token",
            Self::Feedback => "feedback",
        }
    }

    /// Starts the server; it may write into `folder`.
    ///
    /// # Errors
    /// When it ends, or does not say in time where it listens.
    pub(crate) async fn start(self, folder: &Path, issuer: &Issuer) -> Result<Server, Failure> {
        match self {
            Self::Naive => start(&std::env::current_exe()?, [OsStr::new("naive")], 1).await,
            Self::Tuned => {
                let program = build_tuned().await?;
                start(&program, [OsStr::new("serve"), folder.join("tuned.sock").as_os_str()], 2).await
            }
            Self::Bouncer | Self::Token | Self::Feedback => {
                let config = self.configure(&folder.join(self.name()), issuer)?;
                let arguments = ["serve", "--log-format", "json", "--config"].map(OsStr::new);
                let program = Path::new(env!("CARGO_BIN_EXE_bouncer"));
                start(program, arguments.into_iter().chain([config.as_os_str()]), 2).await
            }
        }
    }
}

/// Starts `program` and waits until it listens on as many addresses as it has listeners.
async fn start<'a>(
    program: &Path,
    arguments: impl IntoIterator<Item = &'a OsStr>,
    listeners: usize,
) -> Result<Server, Failure> {
    let mut child = Command::new(program)
        .args(arguments)
        // Our stdout carries the figures, and a filter from outside could hide the lines that we wait for.
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().ok_or("the server has ended")?;
    let mut log = BufReader::new(child.stderr.take().ok_or("no stderr")?);
    let mut seen = String::new();
    let mut addresses = Vec::new();
    while addresses.len() < listeners {
        let from = seen.len();
        let read = timeout(START, log.read_line(&mut seen)).await;
        if !matches!(read, Ok(Ok(1..))) {
            return Err(format!("{} does not listen:\n{seen}", program.display()).into());
        }
        if let Some(address) = seen.get(from..).and_then(listening) {
            addresses.push(Address::parse(&address)?);
        }
    }
    // A pipe that nobody empties would stop the server at its next lines.
    tokio::spawn(async move {
        let mut rest = [0; 4096];
        while matches!(log.read(&mut rest).await, Ok(1..)) {}
    });
    Ok(Server { pid, addresses, _child: child })
}

/// The address in the log line with which the gRPC service starts; the fields stand in `fields` or beside the others.
fn listening(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let text = |name| fields.get(name).and_then(Value::as_str);
    (text("message") == Some("listening") && text("service") == Some("grpc"))
        .then(|| text("address").map(str::to_owned))?
}

/// Has cargo build the second program with the same profile, and say where it is.
async fn build_tuned() -> Result<PathBuf, Failure> {
    let output = Command::new(env!("CARGO"))
        .args([
            "bench",
            "--quiet",
            "--bench",
            "noop_tuned",
            "--no-run",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line.pointer("/target/name").and_then(Value::as_str) == Some("noop_tuned"))
        .find_map(|line| line.get("executable")?.as_str().map(PathBuf::from))
        .ok_or_else(|| "cargo did not build noop_tuned".into())
}

impl Kind {
    /// Writes bouncer's configuration and its secret.
    fn configure(self, folder: &Path, issuer: &Issuer) -> Result<PathBuf, Failure> {
        let secret = folder.join("secrets/openai-credential");
        fs::create_dir_all(&secret)?;
        let Issuer { issuer, jwks_uri, token_endpoint, .. } = issuer;
        let of_token = |feedback: &str| {
            format!("auth_type: oauth2\n    token_endpoint: {token_endpoint}\n    feedback: {feedback}")
        };
        let credential = match self {
            Self::Naive | Self::Tuned | Self::Bouncer => "auth_type: api_key".to_owned(),
            Self::Token => of_token("off"),
            Self::Feedback => of_token("answer"),
        };
        for (key, value) in
            [("api_key", KEY.as_str()), ("client_id", "bench"), ("client_secret", "secret of bench")]
        {
            fs::write(secret.join(key), value)?;
        }
        let socket = folder.join("bouncer.sock");
        let config = folder.join("bouncer.yaml");
        let text = format!(
            r#"listen:
  grpc: ["127.0.0.1:0", "unix:{socket}"]
admin:
  listen: 127.0.0.1:0
callers:
  jwt:
    - issuer: {issuer}
      audiences: [{AUDIENCE}]
      jwks_uri: {jwks_uri}
      algorithms: [RS256]
mfa:
  amr: [mfa]
  max_age: 8h
providers:
  - name: openai-prod
    provider: openai
    {credential}
    credential_ref: openai-credential
    mfa_required: true
    match:
      cluster: [{CLUSTER}]
secrets:
  store: file
  file: {{root: secrets}}
"#,
            socket = socket.display(),
        );
        fs::write(&config, text)?;
        Ok(config)
    }
}
