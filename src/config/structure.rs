//! Has every key a place in the schema, and every value its shape? All faults at once; what is right goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jsonschema::JsonType;
use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind};
use serde_json::Value as Json;

use super::place::{At, Faults, Source, Step, path};
use super::schema::Form;
use super::tree;
use super::{quantity, words};
use crate::base::{Fault, Place, Severity};

/// A document of which every fault in shape is told, and its right parts.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) source: Source,
    /// Without what has the wrong shape: its keys are gone, its list elements null.
    pub(super) right: Json,
}

/// Reads a document. None when nothing in it can be used.
pub(super) fn check(form: Form, file: &Arc<Path>, text: &str, faults: &Faults) -> Option<Checked> {
    let place = |spot: tree::Spot| Some(Place { file: file.clone(), line: spot.line, column: spot.column });
    let tell = |broken: tree::Broken| {
        faults.push(Fault {
            severity: Severity::Fault,
            place: place(broken.spot),
            path: path(&broken.path),
            what: broken.what,
            allowed: broken.allowed.map(str::to_owned),
        });
    };
    let (root, broken) = tree::parse(text).map_err(tell).ok()?;
    broken.into_iter().for_each(tell);
    let (skipped, formless) = (BTreeSet::new(), BTreeSet::new());
    let mut source = Source { file: file.clone(), root, skipped, formless };
    if matches!(source.root.value, tree::Value::Null) {
        At::root(&source, faults).fault("the document is empty", None);
        return None;
    }
    let mut right = source.root.to_json();
    let Some(validator) = form.validator() else {
        At::root(&source, faults)
            .fault("the schema of this version is broken, which is not your fault", None);
        return None;
    };
    let whole = right.clone();
    for error in validator.iter_errors(&whole) {
        let steps = steps(error.instance_path().as_str(), &source);
        let at = At::root(&source, faults).steps(steps.clone());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let allowed = allowed_keys(form, &error);
                for name in unexpected {
                    tell_unknown(&at.key(name), name, &allowed);
                    remove(&mut right, &joined(&steps, name));
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                // A key that is there without its value, or twice, is told already.
                at.key(name).fault("is missing", None);
            }
            ValidationErrorKind::Pattern { .. }
            | ValidationErrorKind::MaxLength { .. }
            | ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MaxProperties { .. } => {
                source.formless.insert(steps);
            }
            ValidationErrorKind::PropertyNames { error } => {
                let name = error.instance().as_str().unwrap_or_default();
                source.formless.insert(joined(&steps, name));
            }
            kind => {
                let (what, allowed) = wording(kind, &error);
                at.fault(what, allowed);
                if steps.is_empty() {
                    return None;
                }
                remove(&mut right, &steps);
                source.skipped.insert(steps);
            }
        }
    }
    Some(Checked { source, right })
}

impl Checked {
    /// The typed form of the right parts.
    pub(super) fn typed<T: serde::de::DeserializeOwned>(&self, faults: &Faults) -> Option<T> {
        let typed = T::deserialize(&self.right);
        if typed.is_err() {
            At::root(&self.source, faults).fault("the document has a shape that is not understood", None);
        }
        typed.ok()
    }

    /// To be called when the meaning has been read: a reader that says nothing of a text without its form is found out.
    pub(super) fn finish(&self, faults: &Faults) {
        for steps in &self.source.formless {
            At::root(&self.source, faults)
                .steps(steps.clone())
                .fault_if_none("does not have the form that it should");
        }
    }
}

fn tell_unknown(at: &At<'_>, name: &str, allowed: &[&str]) {
    let mut what = format!("unknown key {}", words::quoted(name));
    if let Some(nearest) = words::nearest(name, allowed.iter().copied()) {
        what.push_str(&format!(", did you mean {nearest}?"));
    } else if ["secret", "password", "token", "key"]
        .iter()
        .any(|word| name.to_ascii_lowercase().contains(word))
    {
        what.push_str("; secrets do not stand in the configuration, credential_ref names them");
    }
    at.fault_at_key(what, words::list(allowed));
}

fn allowed_keys<'s>(form: Form, error: &ValidationError<'_>) -> Vec<&'s str> {
    let schema = error.schema_path().as_str();
    let parent = schema.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties =
        form.schema().pointer(parent).and_then(|node| node.get("properties")).and_then(Json::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// What is wrong and what is allowed. A value is repeated only where it should have been a word of a closed set.
fn wording(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> (String, Option<String>) {
    match kind {
        ValidationErrorKind::Type { kind } => {
            let what = shape(error.instance()).to_owned();
            (what, Some(wanted(kind, error)))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let allowed = Some(words::list(&options));
            match error.instance().as_str() {
                Some(word) if error.instance_path().as_str().contains("/algorithms/") => (
                    format!("{} is not an asymmetric algorithm that is supported", words::quoted(word)),
                    allowed,
                ),
                Some(word) => match words::nearest(word, options) {
                    Some(nearest) => {
                        (format!("{} is not known, did you mean {nearest}?", words::quoted(word)), allowed)
                    }
                    None => (format!("{} is not known", words::quoted(word)), allowed),
                },
                None => (shape(error.instance()).to_owned(), allowed),
            }
        }
        ValidationErrorKind::MinItems { limit } => {
            ("is an empty list".to_owned(), Some(format!("at least {limit}")))
        }
        ValidationErrorKind::MinLength { .. } => ("is empty".to_owned(), None),
        ValidationErrorKind::MinProperties { .. } => {
            ("says nothing".to_owned(), Some("at least one of its keys".to_owned()))
        }
        ValidationErrorKind::Minimum { limit } => {
            ("is too small".to_owned(), Some(format!("{limit} or more")))
        }
        ValidationErrorKind::Maximum { limit } => {
            ("is too large".to_owned(), Some(format!("{limit} or less")))
        }
        _ => ("does not have the shape that it should".to_owned(), None),
    }
}

fn shape(value: &Json) -> &'static str {
    match value {
        Json::Null => "has no value",
        Json::Bool(_) => "is a boolean",
        Json::Number(_) => "is a number",
        Json::String(_) => "is text",
        Json::Array(_) => "is a list",
        Json::Object(_) => "is a mapping",
    }
}

fn wanted(kind: &TypeKind, error: &ValidationError<'_>) -> String {
    let schema = error.schema_path().as_str();
    if schema.contains("/$defs/Duration/") {
        return quantity::DURATION.to_owned();
    }
    if schema.contains("/$defs/Size/") {
        return quantity::SIZE.to_owned();
    }
    let unquoted = matches!(error.instance().as_ref(), Json::Number(_) | Json::Bool(_));
    let word = |kind: JsonType| match kind {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String if unquoted => "text, in quotes",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let words: Vec<&str> = kinds.iter().map(word).collect();
            words.join(" or ")
        }
    }
}

/// A JSON pointer as steps. Only the tree tells an index from a key of digits.
fn steps(pointer: &str, source: &Source) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut node = Some(&source.root);
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let index =
            name.parse().ok().filter(|_| matches!(node.map(|node| &node.value), Some(tree::Value::List(_))));
        if let Some(index) = index {
            node = node.and_then(|node| node.element(index));
            steps.push(Step::Index(index));
        } else {
            node = node.and_then(|node| node.member(&name)).map(|(_, node)| node);
            steps.push(Step::Key(name));
        }
    }
    steps
}

fn joined(steps: &[Step], name: &str) -> Vec<Step> {
    steps.iter().cloned().chain([Step::Key(name.to_owned())]).collect()
}

/// Takes away what stands there, so that the neighbours keep their names and numbers.
fn remove(json: &mut Json, steps: &[Step]) {
    let Some((last, parents)) = steps.split_last() else { return };
    let mut node = Some(json);
    for step in parents {
        node = node.and_then(|node| match step {
            Step::Key(name) => node.get_mut(name),
            Step::Index(index) => node.get_mut(index),
        });
    }
    match (node, last) {
        (Some(Json::Object(members)), Step::Key(name)) => {
            members.remove(name);
        }
        (Some(Json::Array(items)), Step::Index(index)) => {
            if let Some(item) = items.get_mut(*index) {
                *item = Json::Null;
            }
        }
        _ => {}
    }
}
