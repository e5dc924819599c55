//! `bouncer check` and `bouncer schema`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::ReportFormat;
use crate::app;
use crate::base::{Fault, Severity};
use crate::config::{self, report};

/// Prints every fault; exits 1 when there is one that is more than a warning.
pub(super) fn run(path: &Path, format: ReportFormat) -> ExitCode {
    let faults = match config::load(path) {
        Err(faults) => faults,
        Ok(config) => {
            let mut faults = config.warnings.clone();
            faults.extend(app::secret_faults(&config));
            faults
        }
    };
    let text = match format {
        ReportFormat::Text => report::text(&faults),
        ReportFormat::Json => report::json(&faults),
    };
    match print(&text) {
        Ok(()) if faults.iter().all(|fault: &Fault| fault.severity == Severity::Warning) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Prints the JSON Schema.
pub(super) fn schema() -> ExitCode {
    match serde_json::to_string_pretty(&config::schema())
        .map_err(io::Error::other)
        .and_then(|text| print(&(text + "\n")))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
