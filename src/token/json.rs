//! JSON of token endpoints: texts are secrets, no member is named twice, nesting is bounded.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::base::Secret;

/// Deeper than any answer nests.
const MAX_DEPTH: usize = 16;

/// No object of an answer has more members: each name is looked for among those before it.
const MAX_MEMBERS: usize = 1_024;

/// A JSON value. Its texts are wiped when it goes.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool,
    /// Whole numbers beyond 2^53 lose their last digits; whatever is that large is clamped anyway.
    Number(f64),
    Text(Secret<String>),
    List(Vec<Json>),
    Object(Object),
}

/// A JSON object, each member once.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<(String, Json)>);

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
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The member of this name, where it is a text.
    pub(super) fn text(&self, name: &str) -> Option<&Secret<String>> {
        match self.member(name)? {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of this name, where it is a text that nobody has to hide.
    pub(super) fn plain(&self, name: &str) -> Option<&str> {
        self.text(name).map(|text| text.expose().as_str())
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

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    #[allow(clippy::cast_precision_loss, reason = "see `Json::Number`")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "see `Json::Number`")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(value)))
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
        let mut object = Object::default();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Depth(inner))?;
            if object.0.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            if object.member(&name).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
            object.0.push((name, value));
        }
        Ok(Json::Object(object))
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
    fn only_one_whole_object_without_twins_is_an_answer() {
        for text in ["", "[]", "null", "{} {}", "{\"a\":1,\"a\":2}", "{\"a\":1e400}", "{\"a\":NaN}", "<html>"]
        {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(
            Object::parse(format!("{{\"a\":{}1{}}}", "[".repeat(17), "]".repeat(17)).as_bytes()).is_none()
        );
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn the_members_of_an_object_are_bounded() {
        let object = |members: usize| {
            let members: Vec<_> = (0..members).map(|member| format!("\"{member}\":1")).collect();
            Object::parse(format!("{{{}}}", members.join(",")).as_bytes())
        };
        assert!(object(MAX_MEMBERS).is_some());
        assert!(object(MAX_MEMBERS + 1).is_none());
    }

    #[test]
    fn debug_shows_no_text() {
        let object = Object::parse(br#"{"access_token":"hunter2","x":["hunter2"]}"#).unwrap();
        assert!(!format!("{object:?}").contains("hunter2"));
    }
}
