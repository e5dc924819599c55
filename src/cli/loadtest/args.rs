//! The arguments of `bouncer loadtest`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::Value;

use super::values::{self, MaxErrors};
use crate::loadtest::{self, Address, Expectation, Limits, Pace, Plan, Question, Target, Tls, Until};

/// Load an ext_proc or ext_authz server as Envoy does, check every answer, and report latencies, rate and errors.
///
/// Without --rate each stream asks again as soon as it has its answer (closed loop): it finds the most that the server
/// answers. With --rate so many requests a second are due whatever the server does, and times count from when a request was
/// due (open loop, no coordinated omission): it finds the latency that callers see at that rate.
///
/// Callers are signed by a key that is made for the run, and its key set is served here: configure the server with
/// `callers.jwt: [{issuer: http://127.0.0.1:9700, audiences: [loadtest]}]` and pass --jwks-listen 127.0.0.1:9700. Or bring a
/// key (--key), a token (--token-file), or a certificate's name (--peer-uri).
///
/// Exits 0, 1 where a limit was missed or nothing could be measured, 2 on wrong usage.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("who").args(["token_file", "anonymous", "key"]), verbatim_doc_comment)]
#[command(group = ArgGroup::new("length").args(["requests", "duration"]))]
pub(crate) struct LoadtestArgs {
    /// The server's gRPC address: HOST:PORT, or unix:/path/of/socket.
    #[arg(value_parser = values::address)]
    pub(super) address: Address,
    /// What it speaks.
    #[arg(long, value_enum, default_value_t = ProtocolName::ExtProc, help_heading = "Server")]
    pub(super) protocol: ProtocolName,
    /// Speak TLS, and trust these authorities (PEM).
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(super) tls_ca: Option<PathBuf>,
    /// Show this certificate (PEM chain), as Envoy does where TLS is mutual.
    #[arg(long, value_name = "FILE", requires_all = ["tls_ca", "tls_key"], help_heading = "Server")]
    pub(super) tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate", help_heading = "Server")]
    pub(super) tls_key: Option<PathBuf>,
    /// Expect this name in the server's certificate instead of the address' host.
    #[arg(long, value_name = "NAME", requires = "tls_ca", help_heading = "Server")]
    pub(super) tls_server_name: Option<String>,

    /// HTTP/2 connections; an Envoy opens one a worker [default: 2, or as many as --threads; no more than --streams].
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(super) connections: Option<NonZeroUsize>,
    /// Requests at once over all connections: always (closed loop) or at most (open loop).
    #[arg(long, value_name = "N", default_value = "64", help_heading = "Load")]
    pub(super) streams: NonZeroUsize,
    /// Open loop: requests a second.
    #[arg(long, value_name = "N", value_parser = values::rate, help_heading = "Load")]
    pub(super) rate: Option<f64>,
    /// How long to measure [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = values::length, help_heading = "Load")]
    pub(super) duration: Option<Until>,
    /// How many requests to measure, instead of a time.
    #[arg(long, value_name = "N", value_parser = values::requests, help_heading = "Load")]
    pub(super) requests: Option<Until>,
    /// Ask but do not measure for so long at first.
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "1s", help_heading = "Load")]
    pub(super) warm_up: Duration,
    /// An answer that takes longer is an error.
    #[arg(long, value_name = "TIME", value_parser = values::some_time, default_value = "5s", help_heading = "Load")]
    pub(super) timeout: Duration,
    /// How long to wait for the first right answer [default: 40s where the key set is served here, for the server has to
    /// fetch it; else 0s].
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "Load")]
    pub(super) wait: Option<Duration>,
    /// Threads of the generator, one core each, and each with one connection at least.
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Load")]
    pub(super) threads: NonZeroUsize,

    /// Envoy's cluster: attribute xds.cluster_name (ext_proc).
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    pub(super) cluster: Option<String>,
    /// The entry that Envoy names: initial metadata x-bouncer-provider, with ext_authz the context extension `provider`.
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    pub(super) provider: Option<String>,
    /// :authority.
    #[arg(long, value_name = "HOST", help_heading = "Request")]
    pub(super) authority: Option<String>,
    /// :path.
    #[arg(long, value_name = "PATH", help_heading = "Request")]
    pub(super) path: Option<String>,
    /// One more header line, or another in the place of a usual one: 'x-team: search'.
    #[arg(long = "header", value_name = "LINE", value_parser = values::header, help_heading = "Request")]
    pub(super) headers: Vec<(String, String)>,
    /// The request's body: shown to an ext_proc server that asks for it, and to an ext_authz server in any case.
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Request")]
    pub(super) body: Option<usize>,
    /// The messages that Envoy sends (ext_proc).
    #[arg(long, value_enum, default_value_t = PhasesName::Request, help_heading = "Request")]
    pub(super) phases: PhasesName,
    /// Initial metadata of the call.
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::pair, help_heading = "Request")]
    pub(super) metadata: Vec<(String, String)>,
    /// Dynamic metadata of another filter (metadata_context): NAMESPACE/KEY=VALUE.
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::filter_metadata, help_heading = "Request")]
    pub(super) filter_metadata: Vec<(String, String, String)>,
    /// context_extensions (ext_authz).
    #[arg(long = "extension", value_name = "NAME=VALUE", value_parser = values::pair, help_heading = "Request")]
    pub(super) extensions: Vec<(String, String)>,

    /// Different callers, each with a `sub` and a token of its own, in turn.
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Callers")]
    pub(super) callers: NonZeroUsize,
    /// Where the key set and its discovery are served; a free port if none is given.
    #[arg(long, value_name = "ADDRESS", help_heading = "Callers")]
    pub(super) jwks_listen: Option<SocketAddr>,
    /// `iss` [default: the address of the key set].
    #[arg(long, value_name = "URL", help_heading = "Callers")]
    pub(super) issuer: Option<String>,
    /// `aud`.
    #[arg(long, value_name = "NAME", default_value = "loadtest", help_heading = "Callers")]
    pub(super) audience: String,
    /// Another claim, as JSON or text: 'amr=["pwd"]', 'auth_time=0', 'scp=llm'.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = values::claim, help_heading = "Callers")]
    pub(super) claims: Vec<(String, Value)>,
    /// Sign with this key (PEM, RSA or P-256) of an issuer that the server knows already.
    #[arg(long, value_name = "FILE", help_heading = "Callers")]
    pub(super) key: Option<PathBuf>,
    /// `kid` of the key [default: its thumbprint].
    #[arg(long, value_name = "NAME", requires = "key", help_heading = "Callers")]
    pub(super) kid: Option<String>,
    /// One caller with the token in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "callers", help_heading = "Callers")]
    pub(super) token_file: Option<PathBuf>,
    /// The header with the token: `authorization` has Bearer before it, the others have nothing.
    #[arg(long, value_name = "NAME", value_parser = values::header_name, default_value = "authorization", help_heading = "Callers")]
    pub(super) token_header: String,
    /// No token.
    #[arg(long, conflicts_with = "callers", help_heading = "Callers")]
    pub(super) anonymous: bool,
    /// The URI in the caller's certificate, as Envoy reports it: spiffe://... Without a token, where no other option asks
    /// for one.
    #[arg(long, value_name = "URI", help_heading = "Callers")]
    pub(super) peer_uri: Option<String>,

    /// What every answer has to be: permit (a credential is set, the caller's token is off), or the status of a refusal.
    #[arg(long, value_name = "ANSWER", value_parser = values::expectation, default_value = "permit", help_heading = "Answers")]
    pub(super) expect: Expectation,
    /// A header that is a credential too, beside authorization, api-key, x-api-key and x-goog-api-key.
    #[arg(long = "credential-header", value_name = "NAME", value_parser = values::header_name, help_heading = "Answers")]
    pub(super) credential_headers: Vec<String>,

    /// Exit 1 where the 99th percentile is longer.
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "Result")]
    pub(super) max_p99: Option<Duration>,
    /// Exit 1 where fewer requests a second were answered as expected.
    #[arg(long, value_name = "N", value_parser = values::rate, help_heading = "Result")]
    pub(super) min_rate: Option<f64>,
    /// Exit 1 where more requests went wrong: a number, or a share as 0.1%.
    #[arg(long, value_name = "N", value_parser = values::max_errors, default_value = "0", help_heading = "Result")]
    pub(super) max_errors: MaxErrors,
    /// Print the result as JSON.
    #[arg(long, help_heading = "Result")]
    pub(super) json: bool,
    /// Write the result to an HTML file too, with its curves drawn.
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub(super) report: Option<PathBuf>,
    /// Read CPU and memory of this process, the server's, on this host.
    #[arg(long, value_name = "PID", help_heading = "Result")]
    pub(super) pid: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolName {
    #[value(name = "ext_proc", alias = "ext-proc")]
    ExtProc,
    #[value(name = "ext_authz", alias = "ext-authz")]
    ExtAuthz,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PhasesName {
    /// The request's headers.
    Request,
    /// And those of the provider's answer, as with `feedback`.
    #[value(name = "request,response", alias = "request-response")]
    RequestResponse,
}

/// Connections where nothing is said of them.
const CONNECTIONS: usize = 2;

/// Who asks.
pub(super) enum Who<'a> {
    Anonymous,
    TokenFile(&'a PathBuf),
    /// None: with a key that is made.
    Signed(Option<&'a PathBuf>),
}

impl LoadtestArgs {
    /// What is to be done.
    ///
    /// # Errors
    /// What does not go together.
    pub(super) fn plan(&self) -> Result<Plan, String> {
        let (streams, threads) = (self.streams.get(), self.threads.get());
        let connections = match self.connections {
            Some(connections) => connections.get(),
            None => CONNECTIONS.max(threads).min(streams),
        };
        if connections > streams {
            return Err(format!("--connections {connections} needs as many --streams, not {streams}"));
        }
        if threads > connections {
            return Err(format!("--threads {threads} needs as many --connections, not {connections}"));
        }
        let tls = self.tls_ca.clone().map(|ca| Tls {
            ca,
            certificate: self.tls_certificate.clone().zip(self.tls_key.clone()),
            server_name: self.tls_server_name.clone(),
        });
        let protocol = match self.protocol {
            ProtocolName::ExtProc => loadtest::Protocol::ExtProc,
            ProtocolName::ExtAuthz => loadtest::Protocol::ExtAuthz,
        };
        Ok(Plan {
            target: Target { address: self.address.clone(), protocol, tls },
            pace: self.rate.map_or(Pace::Closed, |rate| Pace::Open { rate }),
            connections,
            streams,
            threads,
            warm_up: self.warm_up,
            until: self.requests.or(self.duration).unwrap_or(Until::Elapsed(Duration::from_secs(10))),
            patience: self.timeout,
        })
    }

    pub(super) fn question(&self) -> Question {
        let usual = Question::default();
        Question {
            authority: self.authority.clone().unwrap_or(usual.authority),
            path: self.path.clone().unwrap_or(usual.path),
            headers: self.headers.clone(),
            token_header: self.token_header.clone(),
            cluster: self.cluster.clone(),
            route: usual.route,
            provider: self.provider.clone(),
            metadata: self.metadata.clone(),
            filter_metadata: self.filter_metadata.clone(),
            extensions: self.extensions.clone(),
            peer_uri: self.peer_uri.clone(),
            body: self.body.unwrap_or(usual.body),
            body_shown: match self.body {
                None => loadtest::BodyShown::OnDemand,
                Some(_) => loadtest::BodyShown::Always,
            },
            phases: match self.phases {
                PhasesName::Request => loadtest::Phases::Request,
                PhasesName::RequestResponse => loadtest::Phases::RequestAndResponse,
            },
        }
    }

    pub(super) fn who(&self) -> Who<'_> {
        let by_certificate = self.peer_uri.is_some()
            && self.key.is_none()
            && self.jwks_listen.is_none()
            && self.callers.get() == 1;
        match &self.token_file {
            Some(file) => Who::TokenFile(file),
            None if self.anonymous || by_certificate => Who::Anonymous,
            None => Who::Signed(self.key.as_ref()),
        }
    }

    /// What is asked, as far as it is not the usual thing.
    pub(super) fn details(&self) -> Vec<(&'static str, String)> {
        let entry = self.provider.as_ref().or(self.cluster.as_ref());
        let body = self.body.map(|size| format!("{size} bytes"));
        let phases = (self.phases == PhasesName::RequestResponse).then(|| "request, response".to_owned());
        let expected = match self.expect {
            Expectation::Permit { .. } => None,
            Expectation::Refusal(status) => Some(format!("refusal with {status}")),
        };
        let all = [("entry", entry.cloned()), ("body", body), ("phases", phases), ("expected", expected)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(super) fn expectation(&self) -> Expectation {
        match self.expect.clone() {
            Expectation::Permit { mut credential_headers } => {
                credential_headers.extend(self.credential_headers.iter().cloned());
                Expectation::Permit { credential_headers }
            }
            refusal @ Expectation::Refusal(_) => refusal,
        }
    }

    pub(super) fn limits(&self, requests: u64) -> Limits {
        Limits {
            max_p99: self.max_p99,
            min_rate: self.min_rate,
            max_errors: Some(self.max_errors.of(requests)),
        }
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
