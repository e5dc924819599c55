//! Header mutations as bytes, in the shape that each of the two protocols reads.
//!
//! Written straight from the credential's lines and the request's names, in one pass into one buffer: a reply that is kept
//! and copied would save little of it, and could not name the caller's headers as the request spells them.

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::request::{HeaderMutation, SetHeader};

/// Field numbers of a message that sets and removes headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    set: u8,
    remove: u8,
    value: Value,
    /// What becomes of a name that is set and removed.
    order: Order,
}

/// Of `HeaderValue` the one of its two values that is read, as its field number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// `value`, a string: an answer with other bytes in it is none, so they come out as replacement characters.
    Text = 2,
    /// `raw_value`.
    Raw = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Removals come first, and a name that is set may be removed: no second line of the caller's can stay beside ours.
    RemovesFirst,
    /// Some Envoys remove last, so a name that is set is never removed; overwriting takes every line of that name.
    MayRemoveLast,
}

/// `ext_proc.v3.HeaderMutation`: `raw_value` only; an empty header is what a `value` would become.
pub(super) const EXT_PROC: Shape = Shape { set: 1, remove: 2, value: Value::Raw, order: Order::RemovesFirst };

/// `auth.v3.OkHttpResponse`: `value` only.
pub(super) const EXT_AUTHZ: Shape =
    Shape { set: 2, remove: 5, value: Value::Text, order: Order::MayRemoveLast };

/// `HeaderValueOption.append_action: OVERWRITE_IF_EXISTS_OR_ADD`. Never left to a default: Envoys read an unset action as
/// append or as overwrite, by their age.
const OVERWRITE: [u8; 2] = [3 << 3, 2];

/// `HeaderValueOption.header`, `HeaderValue.key`.
const FIRST: u8 = 1;

impl Shape {
    /// How many bytes [`Shape::put`] writes.
    pub(super) fn len(self, mutation: &HeaderMutation<'_>) -> usize {
        let set = mutation.set.iter().map(|line| field_len(self.option_len(line)));
        let remove = self.removed(mutation).map(|name| field_len(name.len()));
        set.chain(remove).sum()
    }

    /// Writes the mutation's fields.
    pub(super) fn put(self, mutation: &HeaderMutation<'_>, into: &mut BytesMut) {
        for line in &mutation.set {
            put_length(self.set, self.option_len(line), into);
            put_length(FIRST, self.header_len(line), into);
            put_bytes(FIRST, &line.name, into);
            put_bytes(self.value as u8, &self.value(line), into);
            into.put_slice(&OVERWRITE);
        }
        for name in self.removed(mutation) {
            put_bytes(self.remove, name, into);
        }
    }

    fn removed<'m>(self, mutation: &'m HeaderMutation<'_>) -> impl Iterator<Item = &'m [u8]> {
        let set = |name: &[u8]| mutation.set.iter().any(|line| line.name.eq_ignore_ascii_case(name));
        let stays = move |name: &&[u8]| self.order == Order::RemovesFirst || !set(name);
        mutation.remove.iter().copied().filter(stays)
    }

    fn value(self, line: &SetHeader) -> Cow<'_, [u8]> {
        match (self.value, line.value.wire()) {
            (Value::Raw, value) => Cow::Borrowed(value),
            (Value::Text, value) if value.is_ascii() => Cow::Borrowed(value),
            (Value::Text, value) => Cow::Owned(String::from_utf8_lossy(value).into_owned().into_bytes()),
        }
    }

    fn header_len(self, line: &SetHeader) -> usize {
        field_len(line.name.len()) + field_len(self.value(line).len())
    }

    fn option_len(self, line: &SetHeader) -> usize {
        field_len(self.header_len(line)) + OVERWRITE.len()
    }
}

/// A field of `length` bytes with a number below 16, its tag and its length with it.
pub(super) fn field_len(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

/// The tag of a field with a number below 16, and how long what follows is.
pub(super) fn put_length(number: u8, length: usize, into: &mut BytesMut) {
    into.put_u8(number << 3 | 2);
    encode_varint(length as u64, into);
}

fn put_bytes(number: u8, bytes: &[u8], into: &mut BytesMut) {
    put_length(number, bytes.len(), into);
    into.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::base::SecretBytes;
    use crate::envoy::wire::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
    use crate::envoy::wire::pb::envoy::service::auth::v3::OkHttpResponse;
    use crate::envoy::wire::pb::envoy::service::ext_proc::v3::HeaderMutation as Wire;
    use crate::request::HeaderValue;

    fn written(shape: Shape, mutation: &HeaderMutation<'_>) -> BytesMut {
        let mut bytes = BytesMut::new();
        shape.put(mutation, &mut bytes);
        assert_eq!(bytes.len(), shape.len(mutation));
        bytes
    }

    proptest! {
        #[test]
        fn both_shapes_are_read_back_as_they_were_meant(
            set in proptest::collection::vec(("[a-z-]{1,40}", "[ -~]{0,300}"), 0..4),
            remove in proptest::collection::vec("[A-Za-z_-]{1,20}", 0..5),
        ) {
            let line = |(name, value): &(String, String)| SetHeader {
                name: Bytes::from(name.clone()),
                value: HeaderValue::Sensitive(SecretBytes::new(value.clone().into_bytes())),
            };
            let mutation = HeaderMutation {
                set: set.iter().map(line).collect(),
                remove: remove.iter().map(String::as_bytes).collect(),
            };
            let overwrite = i32::from(HeaderAppendAction::OverwriteIfExistsOrAdd);

            let wire = Wire::decode(written(EXT_PROC, &mutation)).unwrap();
            prop_assert_eq!(&wire.remove_headers, &remove);
            for (option, (name, value)) in wire.set_headers.iter().zip(&set) {
                let header = option.header.as_ref().unwrap();
                prop_assert_eq!((&header.key, &*header.raw_value, &*header.value), (name, value.as_bytes(), ""));
                prop_assert_eq!(option.append_action, overwrite);
            }
            prop_assert_eq!(wire.set_headers.len(), set.len());

            let wire = OkHttpResponse::decode(written(EXT_AUTHZ, &mutation)).unwrap();
            let stay = |name: &&String| !set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
            prop_assert_eq!(wire.headers_to_remove, remove.iter().filter(stay).cloned().collect::<Vec<_>>());
            for (option, (name, value)) in wire.headers.iter().zip(&set) {
                let header = option.header.as_ref().unwrap();
                prop_assert_eq!((&header.key, &header.value, &*header.raw_value), (name, value, [].as_slice()));
                prop_assert_eq!(option.append_action, overwrite);
            }
            prop_assert_eq!(wire.headers.len(), set.len());
        }
    }

    #[test]
    fn a_text_that_is_none_still_makes_an_answer() {
        let line = SetHeader {
            name: Bytes::from_static(b"anthropic-beta"),
            value: HeaderValue::Plain(Bytes::from_static(b"caf\xe9,oauth")),
        };
        let mutation = HeaderMutation { set: [line].into_iter().collect(), ..HeaderMutation::default() };
        let text = OkHttpResponse::decode(written(EXT_AUTHZ, &mutation)).unwrap();
        assert_eq!(text.headers[0].header.as_ref().unwrap().value, "caf\u{fffd},oauth");
        let raw = Wire::decode(written(EXT_PROC, &mutation)).unwrap();
        assert_eq!(raw.set_headers[0].header.as_ref().unwrap().raw_value, b"caf\xe9,oauth");
    }
}
