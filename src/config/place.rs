//! Where in which document something stands, and the pad on which faults are noted.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Node, Spot, Value};
use super::words;
use crate::base::{Fault, Place, Severity};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// One document that is YAML.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: Arc<Path>,
    pub(super) root: Node,
    /// What had the wrong shape: told already, and absent from the typed form.
    pub(super) skipped: BTreeSet<Vec<Step>>,
    /// What has its shape, but not the form that the schema wants. The reader of the meaning words it.
    pub(super) formless: BTreeSet<Vec<Step>>,
}

/// Most faults that are told.
const MOST: usize = 1_000;

/// All faults of one reading.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Vec<Fault>>);

/// A place in a document, even of something that is not there.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    source: &'a Source,
    faults: &'a Faults,
    steps: Vec<Step>,
}

impl Faults {
    pub(super) fn push(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    /// Whether there is something with which nobody can serve.
    pub(super) fn any(&self) -> bool {
        self.0.borrow().iter().any(|fault| fault.severity == Severity::Fault)
    }

    fn has(&self, file: &Path, path: &str) -> bool {
        let faults = self.0.borrow();
        let in_file = |fault: &Fault| fault.place.as_ref().is_some_and(|place| *place.file == *file);
        faults.iter().any(|fault| fault.severity == Severity::Fault && fault.path == path && in_file(fault))
    }

    /// In the order in which somebody reads the files. After a thousand it is enough.
    pub(super) fn sorted(self) -> Vec<Fault> {
        let mut faults = self.0.into_inner();
        faults.sort_by(|a, b| {
            let key = |fault: &Fault| {
                fault.place.as_ref().map(|place| (place.file.clone(), place.line, place.column))
            };
            key(a).cmp(&key(b))
        });
        if let Some(more) = faults.len().checked_sub(MOST).filter(|more| *more > 0) {
            // A fault must not be cut off by a thousand warnings.
            faults.sort_by_key(|fault| fault.severity == Severity::Warning);
            faults.truncate(MOST);
            let what = format!("{more} more faults and warnings are not told");
            faults.push(Fault {
                severity: Severity::Warning,
                place: None,
                path: String::new(),
                what,
                allowed: None,
            });
        }
        faults
    }
}

impl<'a> At<'a> {
    pub(super) fn root(source: &'a Source, faults: &'a Faults) -> Self {
        Self { source, faults, steps: Vec::new() }
    }

    pub(super) fn key(&self, name: &str) -> Self {
        self.step(Step::Key(name.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { source: self.source, faults: self.faults, steps }
    }

    pub(super) fn steps(mut self, steps: Vec<Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    pub(super) const fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// As faults name it.
    pub(super) fn path(&self) -> String {
        path(&self.steps)
    }

    /// Whether what stands here had the wrong shape, which is told already.
    pub(super) fn was_skipped(&self) -> bool {
        self.source.skipped.contains(&self.steps)
    }

    /// Whether what stands here has the form that the schema wants.
    pub(super) fn has_form(&self) -> bool {
        !self.source.formless.contains(&self.steps)
    }

    /// `text` as a path, relative to the folder of this file.
    pub(super) fn relative(&self, text: &str) -> PathBuf {
        self.source.file.parent().unwrap_or(Path::new("")).join(text)
    }

    /// Notes a fault at the value.
    pub(super) fn fault(&self, what: impl Into<String>, allowed: impl Into<Option<String>>) {
        self.note(Severity::Fault, self.spots().0, what.into(), allowed.into());
    }

    /// Notes that what has to stand here does not. What had the wrong shape is told already.
    pub(super) fn missing<T>(&self, allowed: &str) -> Option<T> {
        if !self.was_skipped() {
            self.fault("is missing", allowed.to_owned());
        }
        None
    }

    /// Notes a fault at the key.
    pub(super) fn fault_at_key(&self, what: impl Into<String>, allowed: impl Into<Option<String>>) {
        self.note(Severity::Fault, self.spots().1, what.into(), allowed.into());
    }

    /// Notes a warning at the key.
    pub(super) fn warning(&self, what: impl Into<String>, allowed: impl Into<Option<String>>) {
        self.note(Severity::Warning, self.spots().1, what.into(), allowed.into());
    }

    /// Notes a fault at the value, unless there is one already.
    pub(super) fn fault_if_none(&self, what: &str) {
        if !self.faults.has(&self.source.file, &path(&self.steps)) {
            self.fault(what, None);
        }
    }

    /// Place of the value.
    pub(super) fn place(&self) -> Place {
        self.at(self.spots().0)
    }

    fn at(&self, spot: Spot) -> Place {
        Place { file: self.source.file.clone(), line: spot.line, column: spot.column }
    }

    fn note(&self, severity: Severity, spot: Spot, what: String, allowed: Option<String>) {
        self.faults.push(Fault {
            severity,
            place: Some(self.at(spot)),
            path: path(&self.steps),
            what,
            allowed,
        });
    }

    /// Places of the value and of its key; of what is around where there is none.
    fn spots(&self) -> (Spot, Spot) {
        let mut node = &self.source.root;
        let mut spots = (node.spot, node.spot);
        for step in &self.steps {
            let next = match step {
                Step::Key(name) => node.member(name).map(|(key, node)| (Some(key.spot), node)),
                Step::Index(index) => node.element(*index).map(|node| (None, node)),
            };
            let Some((key, inner)) = next else { break };
            node = inner;
            let key = key.unwrap_or(node.spot);
            // A mapping begins at its first key and a missing value nowhere: their own key says better what is meant.
            let value = match node.value {
                Value::Null | Value::List(_) | Value::Map(_) => key,
                Value::Bool(_) | Value::Number(_) | Value::Text(_) => node.spot,
            };
            spots = (value, key);
        }
        spots
    }
}

/// `providers[2].match.cluster[0]`.
pub(super) fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Key(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
                    out.push_str(&words::cut(name, 64));
                } else {
                    out.push_str(&words::quoted(name));
                }
            }
        }
    }
    out
}
