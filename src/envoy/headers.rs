//! Header lines in and out: `HeaderMap` read in place, and the lines of refusals as each of the two protocols reads them.

use super::wire::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use super::wire::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use super::wire::{Fields, WireError, once, pair};
use crate::request::{Headers, RequestError};

/// More lines than any HTTP server takes (Envoy's own default is 100).
pub(super) const MAX_LINES: usize = 1_000;

/// The tag of `HeaderValue.raw_value`.
const RAW_VALUE: u8 = 3 << 3 | 2;

/// Why a header map is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderMapError {
    /// The message itself is broken: the call ends with an error status.
    Wire(WireError),
    /// The request is one that is refused.
    Request(RequestError),
}

impl From<WireError> for HeaderMapError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<RequestError> for HeaderMapError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

/// Reads a `HeaderMap`.
pub(super) fn read_map<'a>(map: &'a [u8], into: &mut Headers<'a>) -> Result<(), HeaderMapError> {
    let mut lines = 0;
    for field in Fields::of(map) {
        let (1, line) = field? else { continue };
        lines += 1;
        if lines > MAX_LINES {
            return Err(RequestError::TooManyHeaders.into());
        }
        let line = line.bytes()?;
        if let Some((name, value)) = pair::<RAW_VALUE>(line) {
            into.push(text(name)?, value);
            continue;
        }
        let (mut name, mut value, mut raw_value) = (None, None, None);
        for field in Fields::of(line) {
            match field? {
                (1, found) => once(&mut name, text(found.bytes()?)?)?,
                (2, found) => once(&mut value, found.bytes()?)?,
                (3, found) => once(&mut raw_value, found.bytes()?)?,
                _ => {}
            }
        }
        let value =
            match (value.filter(|bytes| !bytes.is_empty()), raw_value.filter(|bytes| !bytes.is_empty())) {
                (Some(value), Some(raw)) if value != raw => return Err(RequestError::TwoValues.into()),
                (_, Some(raw)) => raw,
                (Some(value), None) => value,
                (None, None) => &[],
            };
        into.push(name.unwrap_or_default(), value);
    }
    Ok(())
}

/// A name that is no text cannot be compared with any list of names.
pub(super) fn text(name: &[u8]) -> Result<&[u8], RequestError> {
    if !name.is_ascii() && str::from_utf8(name).is_err() {
        return Err(RequestError::NotText);
    }
    Ok(name)
}

/// A line that ext_proc sets: it reads `raw_value` only, and an empty header is what a `value` would become.
pub(super) fn set_raw(name: &[u8], value: Vec<u8>) -> HeaderValueOption {
    set(HeaderValue { key: lossy(name), value: String::new(), raw_value: value })
}

/// A line that ext_authz sets: it reads `value` only.
pub(super) fn set_text(name: &[u8], value: &[u8]) -> HeaderValueOption {
    set(HeaderValue { key: lossy(name), value: lossy(value), raw_value: Vec::new() })
}

/// Never left to a default: Envoys read an unset action as append or as overwrite, by their age.
fn set(header: HeaderValue) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

/// Names and values of ours are visible ASCII by construction; anything else would come out as replacement characters.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::super::wire::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
    use super::*;

    proptest! {
        /// The quick way of reading a line finds what the other one does.
        #[test]
        fn lines_are_read_as_they_were_written(
            lines in proptest::collection::vec(("[a-z-]{0,140}", proptest::collection::vec(any::<u8>(), 0..300)), 0..8),
        ) {
            let header = |(name, value): &(String, Vec<u8>)| HeaderValue {
                key: name.clone(),
                value: String::new(),
                raw_value: value.clone(),
            };
            let map = HeaderMap { headers: lines.iter().map(header).collect() }.encode_to_vec();
            let mut headers = Headers::default();
            prop_assert!(read_map(&map, &mut headers).is_ok());
            let read: Vec<_> = headers.iter().map(|line| (String::from_utf8_lossy(line.name).into_owned(), line.value.to_vec())).collect();
            prop_assert_eq!(read, lines);
        }
    }
}
