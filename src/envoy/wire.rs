//! Walks the bytes of a protobuf message without copying: a field is a number and a value that borrows from the message.
//!
//! Envoy's messages are read this way and not through generated structs, because a request is mostly header lines
//! and each of them would cost two allocations. What is written goes through the generated types in [`pb`],
//! but for permits, which are every request's (`mutation`).

use thiserror::Error;

/// The generated types, named as Envoy's packages are.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "generated from proto/; requests are read in place and not through these types"
)]
pub(super) mod pb {
    pub mod google {
        pub mod rpc {
            include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        }
    }
    pub mod envoy {
        pub mod config {
            pub mod core {
                pub mod v3 {
                    include!(concat!(env!("OUT_DIR"), "/envoy.config.core.v3.rs"));
                }
            }
        }
        pub mod extensions {
            pub mod filters {
                pub mod http {
                    pub mod ext_proc {
                        pub mod v3 {
                            include!(concat!(
                                env!("OUT_DIR"),
                                "/envoy.extensions.filters.http.ext_proc.v3.rs"
                            ));
                        }
                    }
                }
            }
        }
        pub mod r#type {
            pub mod v3 {
                include!(concat!(env!("OUT_DIR"), "/envoy.r#type.v3.rs"));
            }
        }
        pub mod service {
            pub mod auth {
                pub mod v3 {
                    include!(concat!(env!("OUT_DIR"), "/envoy.service.auth.v3.rs"));
                }
            }
            pub mod ext_proc {
                pub mod v3 {
                    include!(concat!(env!("OUT_DIR"), "/envoy.service.ext_proc.v3.rs"));
                }
            }
        }
    }
}

/// The compiled `proto/`, for server reflection.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The bytes are no message of the kind that was expected. Ends the call with INVALID_ARGUMENT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum WireError {
    /// Cut off, a varint over ten bytes, or a field number or wire type that does not exist.
    #[error("not a protobuf message")]
    Malformed,
    /// A field with another wire type than the schema's.
    #[error("a field has the wrong wire type")]
    Type,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// A field that may stand once stands twice. Encoders never do that; parsers disagree about what it means.
    #[error("a field stands there twice")]
    Twice,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64([u8; 8]),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32,
}

/// The fields of a message in the order they stand there. Ends after the first error.
#[derive(Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn step(&mut self) -> Result<(u32, Value<'a>), WireError> {
        let tag = self.varint()?;
        let number =
            u32::try_from(tag >> 3).ok().filter(|number| *number != 0).ok_or(WireError::Malformed)?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(
                *self
                    .0
                    .split_first_chunk::<8>()
                    .map(|(head, rest)| (self.0 = rest, head).1)
                    .ok_or(WireError::Malformed)?,
            ),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed32)?,
            _ => return Err(WireError::Malformed),
        };
        Ok((number, value))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        // Tags and most lengths are one byte long.
        match self.0 {
            [byte @ 0..=0x7f, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(WireError::Malformed)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Malformed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Nearly all fields have a number below 16 and are up to 127 bytes long.
        if let [tag @ 0x08..=0x7f, length @ 0..=0x7f, rest @ ..] = self.0
            && tag & 7 == 2
            && let Some((value, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.0 = rest;
            return Some(Ok((u32::from(tag >> 3), Value::Bytes(value))));
        }
        if self.0.is_empty() {
            return None;
        }
        let field = self.step();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Type),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, WireError> {
        str::from_utf8(self.bytes()?).map_err(|_| WireError::Utf8)
    }

    pub(super) fn number(self) -> Result<u64, WireError> {
        match self {
            Value::Varint(number) => Ok(number),
            _ => Err(WireError::Type),
        }
    }

    pub(super) fn flag(self) -> Result<bool, WireError> {
        Ok(self.number()? != 0)
    }
}

/// Puts a singular field in its place, once.
pub(super) fn once<T>(place: &mut Option<T>, value: T) -> Result<(), WireError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(WireError::Twice),
    }
}

/// An entry of a protobuf map: field 1 the key's bytes, field 2 the value's. An absent one is empty.
#[inline]
pub(super) fn map_entry(entry: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    pair::<{ 2 << 3 | 2 }>(entry).map_or_else(|| any_map_entry(entry), Ok)
}

fn any_map_entry(entry: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let (mut key, mut value) = (None, None);
    for field in Fields::of(entry) {
        match field? {
            (1, found) => once(&mut key, found.bytes()?)?,
            (2, found) => once(&mut value, found.bytes()?)?,
            _ => {}
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// The first field and the one with the tag `VALUE`, of a message that has just these two, in this order, neither of them empty
/// or long: as Envoy writes nearly every header line and attribute, so that it is read at a glance.
#[inline]
pub(super) fn pair<const VALUE: u8>(message: &[u8]) -> Option<(&[u8], &[u8])> {
    const FIRST: u8 = 1 << 3 | 2;
    let [FIRST, length @ 1..=0x7f, rest @ ..] = message else { return None };
    let (first, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, value) = match rest {
        [tag, length @ 1..=0x7f, value @ ..] if *tag == VALUE => (usize::from(*length), value),
        [tag, low @ 0x80..=0xff, high @ 1..=0x7f, value @ ..] if *tag == VALUE => {
            (usize::from(low & 0x7f) | usize::from(*high) << 7, value)
        }
        _ => return None,
    };
    (value.len() == length).then_some((first, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::pb::envoy::config::core::v3::HeaderValue;
    use super::*;

    #[test]
    fn fields_come_as_they_were_encoded() {
        let bytes =
            HeaderValue { key: "a".into(), value: String::new(), raw_value: b"xyz".to_vec() }.encode_to_vec();
        let fields: Vec<_> = Fields::of(&bytes).map(Result::unwrap).collect();
        assert_eq!(fields, [(1, Value::Bytes(b"a")), (3, Value::Bytes(b"xyz"))]);
    }

    #[test]
    fn a_cut_message_is_malformed() {
        let bytes = HeaderValue { key: "abc".into(), ..Default::default() }.encode_to_vec();
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(Fields::of(cut).last(), Some(Err(WireError::Malformed)));
        assert_eq!(Fields::of(&[0xff; 11]).last(), Some(Err(WireError::Malformed)));
        assert_eq!(Fields::of(&[0x0b]).last(), Some(Err(WireError::Malformed)), "groups do not exist");
        assert_eq!(
            Fields::of(&[0x02, 0x00]).last(),
            Some(Err(WireError::Malformed)),
            "field 0 does not exist"
        );
    }

    /// Bytes of which many are tags and lengths: of any bytes hardly one is read the quick way.
    fn likely() -> impl Strategy<Value = Vec<u8>> {
        let tag = proptest::sample::select(vec![0x08, 0x0a, 0x12, 0x1a, 0x22, 0x25, 0x21, 0x82]);
        let byte = prop_oneof![4 => tag, 6 => 0_u8..5, 1 => Just(0x80), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..16)
    }

    proptest! {
        #[test]
        fn a_pair_is_found_where_there_is_nothing_else(
            message in likely(),
            (first, value) in (proptest::collection::vec(any::<u8>(), 0..140), proptest::collection::vec(any::<u8>(), 0..300)),
        ) {
            let first = String::from_utf8_lossy(&first).into_owned();
            let whole = HeaderValue { key: first.clone(), value: String::new(), raw_value: value.clone() }.encode_to_vec();
            let quick = pair::<{ 3 << 3 | 2 }>(&whole);
            let short = (1..=0x7f).contains(&first.len()) && !value.is_empty();
            prop_assert_eq!(quick, short.then_some((first.as_bytes(), value.as_slice())));
            if let Some((first, value)) = pair::<{ 3 << 3 | 2 }>(&message) {
                let fields: Vec<_> = Fields::of(&message).collect::<Result<_, _>>().unwrap();
                prop_assert_eq!(fields, [(1, Value::Bytes(first)), (3, Value::Bytes(value))]);
            }
            prop_assert_eq!(map_entry(&message), any_map_entry(&message));
            // With something after the two fields it is no pair.
            let more = [whole.as_slice(), &message].concat();
            prop_assert_eq!(pair::<{ 3 << 3 | 2 }>(&more).is_some(), short && message.is_empty());
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop_oneof![likely(), proptest::collection::vec(any::<u8>(), 0..64)]) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
            // The quick way sees what the other one does.
            let (mut quick, mut slow) = (Fields::of(&bytes), Fields::of(&bytes));
            while !slow.0.is_empty() {
                let field = slow.step();
                prop_assert_eq!(quick.next(), Some(field));
                if field.is_err() {
                    break;
                }
            }
            prop_assert_eq!(quick.next(), None);
        }
    }
}
