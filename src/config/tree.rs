//! The document as a tree in which every key and every value knows its line and column.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::place::Step;
use super::words;

/// Largest file.
pub(super) const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;
/// Of anchors, and of aliases for them.
const MAX_ANCHORS: usize = 1_000;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) spot: Spot,
    pub(super) value: Value,
}

/// What YAML can say.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) spot: Spot,
    pub(super) name: String,
}

/// Something that is wrong with the YAML itself.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) spot: Spot,
    pub(super) path: Vec<Step>,
    pub(super) what: String,
    pub(super) allowed: Option<&'static str>,
}

/// Reads one document. Keys that stand twice or are no text are told beside the tree, and are not in it.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<Broken>), Broken> {
    if text.len() > MAX_BYTES {
        let what = "the file is too large".to_owned();
        return Err(Broken { spot: Spot::START, path: Vec::new(), what, allowed: Some("at most 1 MiB") });
    }
    let spanned: Spanned<Loose> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| broken(&error))?;
    let mut faults = Vec::new();
    let root = settle(spanned, &[], &mut faults);
    Ok((root, faults))
}

impl Spot {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(location: serde_saphyr::Location) -> Self {
        let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).max(1);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

impl Node {
    /// The member of a mapping.
    pub(super) fn member(&self, name: &str) -> Option<(&Key, &Self)> {
        match &self.value {
            Value::Map(members) => {
                members.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
            }
            _ => None,
        }
    }

    /// The element of a list.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(index),
            _ => None,
        }
    }

    /// The same without places.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => serde_json::Value::Number(value.clone()),
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(members) => serde_json::Value::Object(
                members.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
            ),
        }
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_total_scalar_bytes: MAX_BYTES,
            max_aliases: MAX_ANCHORS,
            max_anchors: MAX_ANCHORS,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_BYTES,
            // A second one is told as such by the parser.
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
        },
        emit_comments: false,
        // Told by `settle`, all of them and not only the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // Only `true` and `false`: `no` and `on` stay the words they are.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// As it comes out of the parser.
enum Loose {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

struct LooseVisitor;

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Null)
    }

    fn visit_none<E>(self) -> Result<Loose, E> {
        Ok(Loose::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        Loose::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        // `5.0` is the whole number 5 to JSON Schema, and so it is to us.
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        let number = if value.fract() == 0.0 && value.abs() < 9e15 {
            Some(serde_json::Number::from(value as i64))
        } else {
            serde_json::Number::from_f64(value)
        };
        Ok(number.map_or_else(|| Loose::Text(value.to_string()), Loose::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Loose, E> {
        Ok(Loose::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Loose, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Loose::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Loose, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Loose::Map(members))
    }
}

fn settle(spanned: Spanned<Loose>, path: &[Step], faults: &mut Vec<Broken>) -> Node {
    // Where an alias is used, the place of the text it stands for: that is what has to be mended.
    let spot = Spot::of(spanned.defined);
    let value = match spanned.value {
        Loose::Null => Value::Null,
        Loose::Bool(value) => Value::Bool(value),
        Loose::Number(value) => Value::Number(value),
        Loose::Text(value) => Value::Text(value),
        Loose::List(items) => {
            let items = items.into_iter().enumerate();
            Value::List(
                items.map(|(index, item)| settle(item, &joined(path, Step::Index(index)), faults)).collect(),
            )
        }
        Loose::Map(members) => Value::Map(settle_members(members, path, faults)),
    };
    Node { spot, value }
}

fn settle_members(
    members: Vec<(Spanned<Loose>, Spanned<Loose>)>,
    path: &[Step],
    faults: &mut Vec<Broken>,
) -> Vec<(Key, Node)> {
    let mut lines: HashMap<String, u32> = HashMap::new();
    let mut settled = Vec::with_capacity(members.len());
    for (key, value) in members {
        let spot = Spot::of(key.defined);
        let Loose::Text(name) = key.value else {
            let what = "a key that is no text".to_owned();
            faults.push(Broken { spot, path: path.to_vec(), what, allowed: Some("text; quote it") });
            continue;
        };
        let path = joined(path, Step::Key(name.clone()));
        let value = settle(value, &path, faults);
        if let Some(line) = lines.get(&name) {
            let what =
                format!("the key {} stands here again, it is already in line {line}", words::quoted(&name));
            faults.push(Broken { spot, path, what, allowed: Some("each key once") });
            continue;
        }
        lines.insert(name.clone(), spot.line);
        settled.push((Key { spot, name }, value));
    }
    settled
}

fn joined(path: &[Step], step: Step) -> Vec<Step> {
    path.iter().cloned().chain([step]).collect()
}

/// The parser's error in our words. What it quotes of the document is not repeated: it could be a secret.
fn broken(error: &serde_saphyr::Error) -> Broken {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let spot = error.location().map_or(Spot::START, Spot::of);
    let (what, allowed) = match error {
        Error::MultipleDocuments { .. } => {
            ("a second document begins here", Some("one document a file, without ---"))
        }
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (<<) are not supported", Some("the keys themselves"))
        }
        Error::Eof { .. } => ("the file is empty", None),
        Error::UnknownAnchor { .. } => ("an alias of an anchor that is not there", None),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            ("nested too deep, or too many values or aliases", Some("at most 32 levels and 100000 values"))
        }
        Error::AliasError { error, .. } => return Broken { spot, ..broken(error) },
        Error::ExternalMessage { msg, .. } => {
            let what = format!("not YAML: {}", words::cut(msg, 160));
            return Broken { spot, path: Vec::new(), what, allowed: None };
        }
        _ => ("not YAML that can be read here", Some("plain YAML 1.2 without own tags")),
    };
    Broken { spot, path: Vec::new(), what: what.to_owned(), allowed }
}
