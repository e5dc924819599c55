//! Reads `google.protobuf.Struct` in place, and the text form in which Envoy prints metadata into an attribute.

use std::borrow::Cow;

use super::wire::{Fields, WireError, map_entry};

/// A `google.protobuf.Value` that borrows from its message. What nobody asks for is `Other`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Text(&'a str),
    Number(f64),
    Flag(bool),
    Struct(&'a [u8]),
    List(&'a [u8]),
    Other,
}

/// The members of a `Struct`: names, and values for [`json`].
pub(super) fn members(message: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), WireError>> {
    Fields::of(message).filter_map(|field| match field {
        Ok((1, entry)) => Some(entry.bytes().and_then(map_entry)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The texts of a `ListValue`; none when one of them is no text.
pub(super) fn texts(list: &[u8]) -> Result<Option<Vec<String>>, WireError> {
    let mut texts = Vec::new();
    for field in Fields::of(list) {
        if let (1, value) = field? {
            match json(value.bytes()?)? {
                Json::Text(text) => texts.push(text.to_owned()),
                _ => return Ok(None),
            }
        }
    }
    Ok(Some(texts))
}

/// Reads a `Value`.
pub(super) fn json(value: &[u8]) -> Result<Json<'_>, WireError> {
    let mut json = Json::Other;
    for field in Fields::of(value) {
        json = match field? {
            (2, super::wire::Value::Fixed64(bytes)) => Json::Number(f64::from_le_bytes(bytes)),
            (3, text) => Json::Text(text.text()?),
            (4, flag) => Json::Flag(flag.flag()?),
            (5, message) => Json::Struct(message.bytes()?),
            (6, list) => Json::List(list.bytes()?),
            _ => Json::Other,
        };
    }
    Ok(json)
}

/// `filter_metadata[namespace].key` of a `Metadata` message, where it is a string.
pub(super) fn metadata_text<'a>(metadata: &'a [u8], namespace: &str, key: &str) -> Option<&'a str> {
    match find(find_struct(metadata, namespace)?, key)? {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

/// `filter_metadata[namespace]` of a `Metadata` message.
pub(super) fn find_struct<'a>(metadata: &'a [u8], namespace: &str) -> Option<&'a [u8]> {
    Fields::of(metadata).filter_map(Result::ok).find_map(|field| match field {
        (1, entry) => {
            let (name, value) = map_entry(entry.bytes().ok()?).ok()?;
            (name == namespace.as_bytes()).then_some(value)
        }
        _ => None,
    })
}

fn find<'a>(message: &'a [u8], key: &str) -> Option<Json<'a>> {
    let mut members = members(message).filter_map(Result::ok);
    json(members.find(|(name, _)| *name == key.as_bytes())?.1).ok()
}

/// The same out of protobuf's text form, as ext_proc carries metadata in an attribute:
/// `filter_metadata { key: "bouncer" value { fields { key: "provider" value { string_value: "x" } } } }`.
///
/// # Errors
/// [`WireError::Malformed`] when it cannot be read to its end: whatever it says, it is not the same as saying nothing.
pub(super) fn text_form_lookup<'a>(
    text: &'a str,
    namespace: &str,
    key: &str,
) -> Result<Option<Cow<'a, str>>, WireError> {
    let mut found = None;
    let mut reader = TextForm { rest: text, depth: 0 };
    let read = reader.entries("filter_metadata", &mut |name, value| {
        if name != namespace {
            return value.skip_block();
        }
        value.block(&mut |inner| {
            inner.entries("fields", &mut |name, value| {
                if name != key {
                    return value.skip_block();
                }
                value.block(&mut |inner| {
                    while let Some(field) = inner.field()? {
                        if field == "string_value" {
                            found = Some(inner.string()?);
                        } else {
                            inner.skip_value()?;
                        }
                    }
                    Some(())
                })
            })
        })
    });
    match read {
        Some(()) if reader.rest.is_empty() => Ok(found),
        _ => Err(WireError::Malformed),
    }
}

/// A cursor over protobuf text form. Every step is none at the first thing that is not of the form.
struct TextForm<'a> {
    rest: &'a str,
    depth: u32,
}

type Visit<'v, 'a> = &'v mut dyn FnMut(&mut TextForm<'a>) -> Option<()>;
type VisitEntry<'v, 'a> = &'v mut dyn FnMut(&str, &mut TextForm<'a>) -> Option<()>;

impl<'a> TextForm<'a> {
    /// Nesting that Envoy's metadata never reaches.
    const MAX_DEPTH: u32 = 32;

    /// Map entries `name { key: ".." value {..} }` until the block or the text ends; other fields are passed over.
    fn entries(&mut self, name: &str, visit: VisitEntry<'_, 'a>) -> Option<()> {
        while let Some(field) = self.field()? {
            if field != name {
                self.skip_value()?;
                continue;
            }
            self.block(&mut |entry| {
                let mut key = Cow::Borrowed("");
                while let Some(field) = entry.field()? {
                    match field {
                        "key" => key = entry.string()?,
                        "value" => visit(&key, entry)?,
                        _ => entry.skip_value()?,
                    }
                }
                Some(())
            })?;
        }
        Some(())
    }

    /// The next field's name; `Some(None)` at the end of the block.
    fn field(&mut self) -> Option<Option<&'a str>> {
        self.blank();
        if self.rest.is_empty() || self.rest.starts_with('}') {
            return Some(None);
        }
        // An unpacked `Any` has its type for a name, as typed metadata does: `[type.googleapis.com/..] { .. }`.
        let end = if self.rest.starts_with('[') {
            self.rest.find(']')? + 1
        } else {
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(self.rest.len())
        };
        let (name, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        self.blank();
        self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
        self.blank();
        (!name.is_empty()).then_some(Some(name))
    }

    fn block(&mut self, visit: Visit<'_, 'a>) -> Option<()> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= Self::MAX_DEPTH)?;
        self.rest = self.rest.strip_prefix('{')?;
        visit(self)?;
        self.blank();
        self.rest = self.rest.strip_prefix('}')?;
        self.depth -= 1;
        Some(())
    }

    fn skip_block(&mut self) -> Option<()> {
        self.block(&mut |inner| {
            while inner.field()?.is_some() {
                inner.skip_value()?;
            }
            Some(())
        })
    }

    fn skip_value(&mut self) -> Option<()> {
        match self.rest.chars().next()? {
            '{' => self.skip_block(),
            '"' => self.string().map(drop),
            _ => {
                let end = self.rest.find(|c: char| c.is_whitespace() || c == '}').unwrap_or(self.rest.len());
                self.rest = self.rest.get(end..)?;
                (end > 0).then_some(())
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let body = self.rest.strip_prefix('"')?;
        let end = body.find(['"', '\\'])?;
        if body.as_bytes().get(end) == Some(&b'"') {
            self.rest = body.get(end + 1..)?;
            return body.get(..end).map(Cow::Borrowed);
        }
        let (mut bytes, mut rest) = (Vec::new(), body.bytes());
        loop {
            match rest.next()? {
                b'"' => break,
                b'\\' => bytes.push(match rest.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    quoted @ (b'"' | b'\'' | b'\\') => quoted,
                    // Three octal digits: how the text form spells every byte outside printable ASCII.
                    high @ b'0'..=b'3' => {
                        let (middle, low) = (rest.next()?, rest.next()?);
                        let digit =
                            |byte: u8| char::from(byte).to_digit(8).and_then(|d| u8::try_from(d).ok());
                        digit(high)? * 64 + digit(middle)? * 8 + digit(low)?
                    }
                    _ => return None,
                }),
                byte => bytes.push(byte),
            }
        }
        self.rest = body.get(body.len() - rest.len()..)?;
        String::from_utf8(bytes).ok().map(Cow::Owned)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"filter_metadata {
        key: "envoy.lb" value { fields { key: "canary" value { bool_value: true } } fields { key: "n" value { number_value: 1.5 } } } }
        filter_metadata { key: "bouncer" value { fields { key: "provider" value { string_value: "az\"ur\303\251\\" } }
        fields { key: "list" value { list_value { values { string_value: "}" } } } } } }"#;

    #[test]
    fn a_string_is_found_by_namespace_and_key() {
        let found = text_form_lookup(TEXT, "bouncer", "provider").unwrap();
        assert_eq!(found.as_deref(), Some("az\"uré\\"));
        assert_eq!(text_form_lookup(TEXT, "bouncer", "canary"), Ok(None));
        assert_eq!(text_form_lookup(TEXT, "envoy.lb", "canary"), Ok(None), "a flag is no string");
        assert_eq!(text_form_lookup(TEXT, "envoy.lb", "provider"), Ok(None));
        assert_eq!(text_form_lookup("", "bouncer", "provider"), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_not_the_same_as_nothing() {
        for text in ["}", "filter_metadata {", "a", "[x", "a: \"\\q\"", &format!("{TEXT} }}")] {
            assert_eq!(text_form_lookup(text, "bouncer", "provider"), Err(WireError::Malformed), "{text}");
        }
    }

    #[test]
    fn typed_metadata_beside_it_hides_nothing() {
        let text = r#"filter_metadata { key: "bouncer" value { fields { key: "provider" value { string_value: "x" } } } }
            typed_filter_metadata { key: "example" value { [type.googleapis.com/envoy.config.core.v3.Metadata] {
            filter_metadata { key: "bouncer" value { fields { key: "provider" value { string_value: "evil" } } } } } } }"#;
        assert_eq!(text_form_lookup(text, "bouncer", "provider").unwrap().as_deref(), Some("x"));
    }

    #[test]
    fn a_value_cannot_pose_as_structure() {
        let text = r#"filter_metadata { key: "a" value { fields { key: "x" value { string_value: "} } } filter_metadata { key: \"bouncer\" value { fields { key: \"provider\" value { string_value: \"evil\" } } } }" } } } }"#;
        assert_eq!(text_form_lookup(text, "bouncer", "provider"), Ok(None));
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in r#"([{}":\\a-z_ ]|filter_metadata|key|value|fields|string_value|\\[0-9]{3}){0,80}"#) {
            let _ = text_form_lookup(&text, "a", "b");
        }
    }
}
