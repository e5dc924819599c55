//! What the cases are made of. A case usually needs [`World`] alone.

pub(crate) mod aws;
mod bouncer;
mod certificates;
mod deaf;
mod direct;
mod envoy;
mod envoy_config;
pub(crate) mod frames;
pub(crate) mod grpc;
mod http;
mod idp;
mod issuer;
mod leaks;
mod load;
mod origin;
mod process;
mod provider;
mod raw;
mod token_endpoint;
mod token_world;
mod world;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(crate) use bouncer::{Bouncer, Files, Log, field};
pub(crate) use certificates::Certificates;
pub(crate) use deaf::Deaf;
pub(crate) use direct::{Direct, endpoint, entry, eventually, new_key};
pub(crate) use envoy::{Envoy, Version};
pub(crate) use envoy_config::{Cluster, Front, Grpc, Host, Placement, Route, Tls};
pub(crate) use http::{Answer, Connection, Request, head, send};
pub(crate) use idp::Idp;
pub(crate) use issuer::Issuer;
pub(crate) use leaks::Secrets;
pub(crate) use load::{Load, SteadyLoad};
pub(crate) use origin::{Origin, Pace, Seen, Told};
pub(crate) use process::Process;
pub(crate) use provider::{Llm, ProviderEnvoy};
pub(crate) use raw::{CHECK, PROCESS, Raw};
pub(crate) use token_endpoint::TokenEndpoint;
pub(crate) use token_world::{TokenSetup, TokenWorld, workload};
pub(crate) use world::{Until, World, WorldOptions};

/// No wait of a test is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where `scripts/tools.sh` puts things.
pub(crate) fn tools() -> PathBuf {
    std::env::var_os("BOUNCER_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from)
}

/// An installed program, or a failure that says how to get it.
pub(crate) fn tool(path: &str) -> PathBuf {
    let found = tools().join(path);
    assert!(found.exists(), "{} is missing: run scripts/tools.sh", found.display());
    found
}

/// A folder of its own for one case, below `target/`.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("it").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// An address of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Seconds of Unix time.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}
