//! Strict JSON for tokens and key sets: no member named twice at any depth (RFC 8725 section 2.4), bounded nesting.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deeper than any identity provider nests its claims.
const MAX_DEPTH: usize = 16;

/// The latest accepted point in time, the end of the year 9999: what lies beyond is a mistake, not a date.
const END_OF_TIME: f64 = 253_402_300_799.0;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// A JSON object, each member once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(BTreeMap<String, Json>);

struct Depth(usize);

impl Object {
    /// Reads a document that is an object and nothing after it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = Depth(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        match value {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The member of this name.
    pub(super) fn member(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// The member of this name, where it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_text()
    }

    /// The member of this name, where it is an array.
    pub(super) fn list(&self, name: &str) -> Option<&[Json]> {
        match self.member(name)? {
            Json::List(items) => Some(items),
            _ => None,
        }
    }

    /// The strings of an array; none when the member is no array or holds anything but strings.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        self.list(name)?.iter().map(Json::as_text).collect()
    }
}

impl Json {
    /// The string.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A `NumericDate` (RFC 7519 section 2), which may have a fraction: none when it is no number, negative or beyond
    /// the year 9999.
    pub(super) fn as_date(&self) -> Option<f64> {
        match self {
            Self::Number(seconds) if (0.0..=END_OF_TIME).contains(seconds) => Some(*seconds),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON of bounded depth")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "dates are far below 2^53, and nothing else is read as a number"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "dates are far below 2^53, and nothing else is read as a number"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Depth(inner))? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut object = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            // Names are compared as they read without their escapes: "sub" and "s\u0075b" are the same.
            if object.insert(name, members.next_value_seed(Depth(inner))?).is_some() {
                return Err(A::Error::custom("a member stands there twice"));
            }
        }
        Ok(Json::Object(Object(object)))
    }
}

impl Depth {
    fn inner<E: Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"sub":"a","sub":"admin"}"#,
            r#"{"sub":"a","s\u0075b":"admin"}"#,
            r#"{"a":{"b":[{"c":1,"c":2}]}}"#,
        ] {
            assert_eq!(Object::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Object::parse(br#"{"a":{"c":1},"b":{"c":1}}"#).is_some());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Object::parse(nested(MAX_DEPTH - 1).as_bytes()).is_some());
        assert_eq!(Object::parse(nested(MAX_DEPTH).as_bytes()), None);
        assert_eq!(Object::parse(nested(100_000).as_bytes()), None);
    }

    #[test]
    fn only_one_whole_object_is_a_document() {
        for text in [
            "",
            "[]",
            "\"a\"",
            "null",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{\"a\":1e999}",
            "{\"a\":NaN}",
            "{'a':1}",
        ] {
            assert_eq!(Object::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}"), None);
    }

    #[test]
    fn dates_are_sane_numbers() {
        let date = |text: &str| {
            Object::parse(format!("{{\"a\":{text}}}").as_bytes()).unwrap().member("a").unwrap().as_date()
        };
        assert_eq!(date("1700000000"), Some(1_700_000_000.0));
        assert_eq!(date("1700000000.5"), Some(1_700_000_000.5));
        for text in ["-1", "1e300", "18446744073709551615", "\"1700000000\"", "null", "true", "[1]"] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
