//! `bouncer serve`.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::LogFormat;
use crate::app::{App, Shutdown, StartError};
use crate::base::SystemClock;
use crate::config::{self, Config, report};
use crate::telemetry::{self, harden};

/// Runs until SIGTERM or Ctrl-C. Exits 0 after a clean drain, 1 on a fault at start or when the drain was cut off.
pub(super) fn run(path: &Path, format: LogFormat) -> ExitCode {
    let logging = telemetry::init(match format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    });
    if let Err(error) = logging {
        // Without a log nobody would learn of anything: better not to serve.
        let _nobody_hears = writeln!(std::io::stderr(), "bouncer: {error}");
        return ExitCode::FAILURE;
    }
    if let Err(error) = harden() {
        tracing::warn!(%error, "the process could not be hardened");
    }
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => {
            // To a person at a terminal the way `check` shows it; to a log collector one line each.
            if std::io::stderr().is_terminal()
                && std::io::stderr().write_all(report::text(&faults).as_bytes()).is_ok()
            {
                return ExitCode::FAILURE;
            }
            for fault in faults {
                tracing::error!(%fault, "the configuration cannot be taken");
            }
            return ExitCode::FAILURE;
        }
    };
    for warning in &config.warnings {
        tracing::warn!(%warning, "configuration");
    }
    on_background(async {
        match serve(config).await {
            Ok(Shutdown::Clean) => ExitCode::SUCCESS,
            Ok(Shutdown::CutOff) => {
                tracing::warn!("listen.shutdown_grace was over before everything was answered");
                ExitCode::FAILURE
            }
            Err(error) => {
                tracing::error!(%error, "cannot start");
                ExitCode::FAILURE
            }
        }
    })
}

/// The runtime of everything that is not a request.
pub(super) fn on_background(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A file system that hangs must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<Shutdown, Failed> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (app, mut reloader) = App::start(config, Arc::new(SystemClock)).await?;
    let reloading = async {
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = reloader.changed() => {}
            }
            reloader.reload().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reloading => {}
    }
    Ok(app.shutdown().await)
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot listen for signals: {0}")]
    Signal(#[from] std::io::Error),
}
