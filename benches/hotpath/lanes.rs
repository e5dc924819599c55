//! The servers, and the lanes: one server asked one way over one transport.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::options::Kind;
use crate::support::client::{Address, Client};
use crate::support::config::{self, Credential};
use crate::support::driver::{Load, drive};
use crate::support::issuer::Issuer;
use crate::support::process::Process;
use crate::support::question::{Protocol, Question};
use crate::support::server::{Server, build};
use crate::support::{Failure, say};

/// How long a server that is ready may still answer wrongly: a first token is on its way.
const READY: Duration = Duration::from_secs(15);

/// One server asked one way over one transport.
pub(crate) struct Lane {
    /// Which server.
    pub(crate) kind: Kind,
    /// Which way.
    pub(crate) protocol: Protocol,
    /// Where.
    pub(crate) address: Address,
    /// What.
    pub(crate) question: Question,
    /// Of the server.
    pub(crate) process: Process,
}

/// The servers that run, and the lanes to them in the order in which a round takes them.
pub(crate) struct Lanes {
    pub(crate) lanes: Vec<Lane>,
    _servers: Vec<(Kind, Server)>,
}

impl Kind {
    /// What of it is measured. A lane stands behind the no-op's of its kind, for whatever the machine does meanwhile.
    fn is_asked(self, protocol: Protocol, transport: &str) -> bool {
        match self {
            Self::Lazy | Self::Bouncer => true,
            Self::Naive | Self::Token | Self::Feedback => protocol == Protocol::ExtProc && transport == "tcp",
        }
    }

    /// Starts the server; it may write into `folder`.
    ///
    /// # Errors
    /// When it ends, or does not become ready in time.
    pub(crate) async fn start(self, folder: &Path, issuer: &Issuer) -> Result<Server, Failure> {
        let credential = match self {
            Self::Naive => {
                return Server::start(&std::env::current_exe()?, [OsStr::new("naive")], 1, 0).await;
            }
            Self::Lazy => return lazy(folder, issuer).await,
            Self::Bouncer => Credential::ApiKey,
            Self::Token => Credential::Token,
            Self::Feedback => Credential::Feedback,
        };
        Server::bouncer(&config::write(&folder.join(self.name()), issuer, credential, 1)?).await
    }
}

/// Starts the lazy no-op with the answers of bouncer, asked once for them.
async fn lazy(folder: &Path, issuer: &Issuer) -> Result<Server, Failure> {
    let program = build("noop_lazy").await?;
    let own = folder.join("lazy");
    let bouncer = Server::bouncer(&config::write(&own, issuer, Credential::ApiKey, 1)?).await?;
    let mut files = Vec::new();
    for protocol in [Protocol::ExtProc, Protocol::ExtAuthz] {
        let question = Question::one(protocol, &issuer.token);
        let mut client = Client::connect(bouncer.tcp()?, protocol).await?;
        let answer = client.ask((question.nth)(0), &question).await?;
        let reply = answer.get(5..).unwrap_or_default();
        question.judge(reply)?;
        say(format_args!(
            "{}: token {} bytes, request {} bytes, reply {} bytes",
            protocol.name(),
            issuer.token.len(),
            (question.nth)(0).len() - 5,
            reply.len()
        ));
        let file = own.join(protocol.name());
        std::fs::write(&file, reply)?;
        files.push(file);
    }
    bouncer.stop().await?;
    let socket = own.join("lazy.sock");
    let arguments = [OsStr::new("serve"), socket.as_os_str()];
    Server::start(&program, arguments.into_iter().chain(files.iter().map(|file| file.as_os_str())), 2, 0)
        .await
}

impl Lanes {
    /// Starts the servers and asks each until it answers rightly.
    ///
    /// # Errors
    /// When one does not.
    pub(crate) async fn start(kinds: &[Kind], folder: &Path, issuer: &Issuer) -> Result<Self, Failure> {
        let mut servers = Vec::new();
        for &kind in Kind::ALL.iter().filter(|kind| kinds.contains(kind)) {
            servers.push((kind, kind.start(folder, issuer).await?));
        }
        let mut lanes = Vec::new();
        for (protocol, transport) in [
            (Protocol::ExtProc, "tcp"),
            (Protocol::ExtProc, "unix"),
            (Protocol::ExtAuthz, "tcp"),
            (Protocol::ExtAuthz, "unix"),
        ] {
            for (kind, server) in servers.iter().filter(|(kind, _)| kind.is_asked(protocol, transport)) {
                let question = Question::one(protocol, &issuer.token);
                let question = if *kind == Kind::Feedback { question.with_response() } else { question };
                let address = server.by_transport(transport)?.clone();
                lanes.push(Lane { kind: *kind, protocol, address, question, process: server.process });
            }
        }
        for lane in &lanes {
            lane.answers().await?;
        }
        Ok(Self { lanes, _servers: servers })
    }
}

impl Lane {
    /// As in tables.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.kind.name(), self.protocol.name(), self.address.transport())
    }

    /// Asks until the answer is right.
    async fn answers(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let one = Load { requests: 1, connections: 1, streams: 1 };
        while let Err(error) = drive(&self.address, &self.question, one).await {
            if start.elapsed() > READY {
                return Err(format!("{}: {error}", self.name()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
