//! Envoy as a child: where it is, how it is started, when it is ready.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::child::Child;
use super::error::Error;
use super::server::answers_200;
use super::workdir::{Numbers, WorkDir};

/// Where `make demo` installs the version that this release was tried with.
const INSTALLED: &str = "target/tools/envoy/1.40.0/envoy";

/// Starts Envoy with the folder's `envoy.yaml` and waits until it takes requests.
///
/// # Errors
/// [`Error::NoEnvoy`], and those of [`Child`].
pub(super) async fn start(
    named: Option<&Path>,
    dir: &WorkDir,
    numbers: Numbers,
    client: &reqwest::Client,
) -> Result<Child, Error> {
    let mut command = Command::new(program(named, Path::new(INSTALLED)));
    command.arg("-c").arg(dir.path("envoy.yaml"));
    // Hot restart shares memory under /dev/shm with every other Envoy of this machine.
    command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    let mut child = match Child::start("envoy", command, &dir.path("envoy.log"), |_| ()).await {
        Err(Error::Spawn { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoEnvoy);
        }
        started => started?,
    };
    child.until(answers_200(client, format!("http://127.0.0.1:{}/ready", numbers.envoy_admin))).await?;
    Ok(child)
}

/// The named one, else the installed one, else whatever PATH has.
fn program(named: Option<&Path>, installed: &Path) -> PathBuf {
    match named {
        Some(named) => named.to_owned(),
        None if installed.is_file() => installed.to_owned(),
        None => PathBuf::from("envoy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_envoy_comes_before_the_installed_one_and_that_before_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let missing = Path::new("/nowhere/envoy");
        assert_eq!(program(Some(missing), file.path()), missing);
        assert_eq!(program(None, file.path()), file.path());
        assert_eq!(program(None, missing), Path::new("envoy"));
        assert_eq!(program(None, file.path().parent().unwrap()), Path::new("envoy"));
    }

    #[tokio::test]
    async fn a_missing_envoy_is_told_with_the_way_to_get_it() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = Numbers { envoy: 1, envoy_admin: 1, issuer: 1, provider: 1, grpc: 1, admin: 1 };
        let work = WorkDir::prepare(&dir.path().join("work"), numbers).unwrap();
        let missing = dir.path().join("envoy");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = start(Some(&missing), &work, numbers, &client).await.err().unwrap().to_string();
        assert!(error.contains("make demo"), "{error}");
    }
}
