//! Texts with a form, and lists that keep their numbering.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A duration as text.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// A size as text.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct SizeText(pub(in crate::config) String);

/// A list in which an element of the wrong shape has become `None`, so that the others keep their index.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct Items<T>(Vec<Option<T>>);

/// One text or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum OneOrMore {
    One(String),
    More(Items<String>),
}

impl<T> Items<T> {
    /// Every element that has its shape, with its index.
    pub(in crate::config) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_ref()?)))
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration with its unit: 400ms, 30s, 5m, 8h, 1h30m.",
            "pattern": "^([0-9]+(ms|s|m|h))+$",
        })
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A size with its unit: 64KiB, 16MiB, 10MB.",
            "pattern": "^[0-9]+(B|KiB|MiB|GiB|KB|MB|GB)$",
        })
    }
}

impl<T: JsonSchema> JsonSchema for Items<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

impl JsonSchema for OneOrMore {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1, "minLength": 1 })
    }
}
