//! A fault: something an operator wrote that cannot be used, with the place where it stands and what is allowed there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where in which file, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Whether a configuration with this in it may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It may not.
    Fault,
    /// It may, but somebody should look.
    Warning,
}

/// One thing that is wrong. Never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Fault or warning.
    pub severity: Severity,
    /// Where it stands; none when the file as a whole is meant and could not be opened.
    pub place: Option<Place>,
    /// Path inside the document, as `providers[2].match.cluster[0]`.
    pub path: String,
    /// What is wrong, one sentence without a full stop.
    pub what: String,
    /// What would be right.
    pub allowed: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}
