//! The JSON Schema of the configuration, from the types in `raw`.

use std::sync::LazyLock;

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::raw;

/// Which kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The configuration.
    Document,
    /// A file of `providers_dir`: one entry.
    Entry,
}

/// The JSON Schema (2020-12) of the configuration, for editors. A file of `providers_dir` has that of `$defs/Provider`.
#[must_use]
pub fn schema() -> Value {
    Form::Document.schema().clone()
}

impl Form {
    pub(super) fn schema(self) -> &'static Value {
        static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
        static ENTRY: LazyLock<Value> = LazyLock::new(|| entry(&DOCUMENT));
        match self {
            Self::Document => &DOCUMENT,
            Self::Entry => &ENTRY,
        }
    }

    /// None would be a flaw in `raw` itself; a test proves that there is none, and the caller refuses.
    pub(super) fn validator(self) -> Option<&'static Validator> {
        static DOCUMENT: LazyLock<Option<Validator>> = LazyLock::new(|| compile(Form::Document));
        static ENTRY: LazyLock<Option<Validator>> = LazyLock::new(|| compile(Form::Entry));
        match self {
            Self::Document => DOCUMENT.as_ref(),
            Self::Entry => ENTRY.as_ref(),
        }
    }
}

fn compile(form: Form) -> Option<Validator> {
    jsonschema::draft202012::new(form.schema()).ok()
}

fn document() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<raw::Document>().to_value();
    without_null(&mut schema);
    schema
}

fn entry(document: &Value) -> Value {
    let mut schema = Map::new();
    for key in ["$schema", "$defs"] {
        if let Some(value) = document.get(key) {
            schema.insert(key.to_owned(), value.clone());
        }
    }
    schema.insert("$ref".to_owned(), "#/$defs/Provider".into());
    Value::Object(schema)
}

/// A key without a value is a fault everywhere: `client_ca:` with nothing behind it must not switch mutual TLS off.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(members) => {
            members.values_mut().for_each(without_null);
            drop_null_type(members);
            drop_null_branch(members);
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
        }
        _ => {}
    }
}

fn drop_null_type(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = members.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

fn drop_null_branch(members: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = members.get("anyOf") else { return };
    let is_null = |branch: &&Value| branch.get("type").is_some_and(|name| name == "null");
    let mut rest = branches.iter().filter(|branch| !is_null(branch));
    if let (Some(Value::Object(only)), None) = (rest.next(), rest.next()) {
        let only = only.clone();
        members.remove("anyOf");
        for (key, value) in only {
            members.entry(key).or_insert(value);
        }
    }
}
