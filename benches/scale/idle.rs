//! A server with nothing to do: its memory, and how soon it is ready. The key set is fetched on loopback.

use std::path::Path;
use std::time::Duration;

use crate::options::Options;
use crate::own;
use crate::support::config::{self, Credential};
use crate::support::issuer::Issuer;
use crate::support::server::Server;
use crate::support::{Failure, Verdict, median};

const STARTS: usize = 5;

pub(crate) async fn run(
    options: &Options,
    folder: &Path,
    issuer: &Issuer,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let file = config::write(&own(folder, "idle")?, issuer, Credential::ApiKey, 1)?;
    let (mut starts, mut sizes, mut own_sizes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let server = Server::bouncer(&file).await?;
        starts.push(server.took.as_secs_f64() * 1e3);
        // What the start took and gave back is gone by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        sizes.push(server.process.resident_mib()?);
        own_sizes.push(server.process.anonymous_mib()?);
        server.stop().await?;
    }
    verdict.at_most("start to ready, ms (median of 5)", median(starts), Some(options.max_start_ms));
    verdict.at_most("idle, resident MiB (median of 5)", median(sizes), Some(options.max_idle_mib));
    verdict.at_most("of these, not the program's file, MiB", median(own_sizes), None);
    Ok(())
}
