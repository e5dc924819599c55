//! `x-forwarded-client-cert`, as Envoy writes it: elements apart by `,`, pairs apart by `;`, values that hold either in
//! quotes. A splitter that does not know quotes reads `Subject="CN=x,URI=spiffe://evil"` as two elements.

use std::borrow::Cow;

use super::CertificateError;

const MAX_LENGTH: usize = 64 * 1024;
const MAX_ELEMENTS: usize = 1000;

/// One element: what one hop says of the certificate that it saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Element<'a> {
    /// Reads a header and keeps its last element, the nearest hop's. The others are read too: a quote left open in one of
    /// them would move the boundary of the last.
    ///
    /// # Errors
    /// [`CertificateError::Xfcc`] when any of it is malformed.
    pub(super) fn last_of(header: &'a [u8]) -> Result<Self, CertificateError> {
        if header.len() > MAX_LENGTH {
            return Err(CertificateError::Xfcc);
        }
        let mut rest = str::from_utf8(header).map_err(|_| CertificateError::Xfcc)?;
        if rest.chars().any(char::is_control) {
            return Err(CertificateError::Xfcc);
        }
        let mut element = Self::default();
        let mut elements = 1;
        loop {
            let (pair, after) = pair(rest).ok_or(CertificateError::Xfcc)?;
            element.0.push(pair);
            rest = match after.split_at_checked(1) {
                None => return Ok(element),
                Some((";", next)) => next,
                Some((",", next)) if elements < MAX_ELEMENTS => {
                    elements += 1;
                    element.0.clear();
                    next
                }
                Some(_) => return Err(CertificateError::Xfcc),
            };
        }
    }

    /// The value of the one pair with this key.
    ///
    /// # Errors
    /// `several` when there is more than one.
    pub(super) fn only(
        &self,
        key: &str,
        several: CertificateError,
    ) -> Result<Option<&str>, CertificateError> {
        let mut values = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(several),
            (found, None) => Ok(found.map(|(_, value)| value.as_ref())),
        }
    }
}

/// Reads one pair; the rest begins with the delimiter after it.
fn pair(text: &str) -> Option<((&str, Cow<'_, str>), &str)> {
    let (key, rest) = text.trim_start_matches(' ').split_once('=')?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return None;
    }
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted_value(quoted)?,
        None => plain_value(rest)?,
    };
    Some(((key, value), rest))
}

fn plain_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find([',', ';']).unwrap_or(text.len());
    let (value, rest) = text.split_at_checked(end)?;
    (!value.contains(['"', '=', ' '])).then_some((Cow::Borrowed(value), rest))
}

fn quoted_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (end, '"') => {
                // Nothing but a delimiter may follow the closing quote; `last_of` looks.
                let rest = text.get(end + 1..)?;
                return Some((Cow::Owned(value), rest));
            }
            (_, '\\') => value.push(characters.next()?.1),
            (_, character) => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Result<&[(&str, &str)], CertificateError>) {
        let read = Element::last_of(header.as_bytes());
        let read = read
            .as_ref()
            .map(|element| element.0.iter().map(|(key, value)| (*key, value.as_ref())).collect::<Vec<_>>());
        assert_eq!(read.as_deref().map_err(|error| **error), expected, "{header}");
    }

    #[test]
    fn the_last_element_is_read_with_its_quotes() {
        check("URI=spiffe://a/b", Ok(&[("URI", "spiffe://a/b")]));
        check("By=x;URI=spiffe://a/evil,By=y;URI=spiffe://a/b", Ok(&[("By", "y"), ("URI", "spiffe://a/b")]));
        check("URI=a, URI=b", Ok(&[("URI", "b")]));
        check(
            r#"Hash=ab;Subject="CN=x,URI=spiffe://evil/x";URI=spiffe://a/b"#,
            Ok(&[("Hash", "ab"), ("Subject", "CN=x,URI=spiffe://evil/x"), ("URI", "spiffe://a/b")]),
        );
        check(
            r#"Subject="CN=a\",URI=spiffe://evil/x;O=\\";URI=spiffe://a/b"#,
            Ok(&[("Subject", r#"CN=a",URI=spiffe://evil/x;O=\"#), ("URI", "spiffe://a/b")]),
        );
        check("URI=", Ok(&[("URI", "")]));
    }

    #[test]
    fn anything_outside_the_grammar_is_refused() {
        for header in [
            "",
            ",",
            ";",
            "URI",
            "=x",
            "URI=a,",
            "URI=a;",
            ",URI=a",
            "URI=a,,URI=b",
            "URI=a;;By=b",
            r#"Subject="CN=x"#,
            r#"Subject="CN=x\"#,
            r#"Subject="a"b"#,
            r#"Subject="a" ;URI=b"#,
            r#"URI=a"b"#,
            "URI=a=b",
            "URI=a b",
            "U RI=a",
            "URI =a",
            "URI=a\0",
            "URI=a\r\nx",
            "\"URI\"=a",
            // A caller's own element with an open quote, and the hop's element behind it.
            r#"Subject="x,By=y;Subject="CN=real";URI=spiffe://a/b"#,
        ] {
            check(header, Err(CertificateError::Xfcc));
        }
        assert_eq!(Element::last_of(b"URI=\xff"), Err(CertificateError::Xfcc));
    }

    #[test]
    fn length_and_number_are_bounded() {
        assert!(Element::last_of(vec!["URI=a"; 1000].join(",").as_bytes()).is_ok());
        assert_eq!(Element::last_of(vec!["URI=a"; 1001].join(",").as_bytes()), Err(CertificateError::Xfcc));
        assert_eq!(
            Element::last_of(format!("URI={}", "a".repeat(64 * 1024)).as_bytes()),
            Err(CertificateError::Xfcc)
        );
    }

    fn write(pairs: &[(String, String)]) -> String {
        let pairs = pairs.iter().map(|(key, value)| match value.contains([',', ';', '=', '"', '\\', ' ']) {
            true => format!("{key}=\"{}\"", value.replace('\\', r"\\").replace('"', r#"\""#)),
            false => format!("{key}={value}"),
        });
        pairs.collect::<Vec<_>>().join(";")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            elements in proptest::collection::vec(proptest::collection::vec(("[A-Za-z]{1,8}", r#"[a-z,;="\\ é/:]{0,20}"#), 1..5), 1..5),
        ) {
            let header = elements.iter().map(|pairs| write(pairs)).collect::<Vec<_>>().join(",");
            let read = Element::last_of(header.as_bytes()).unwrap();
            let read: Vec<_> = read.0.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
            prop_assert_eq!(&read, elements.last().unwrap());
        }

        #[test]
        fn garbage_is_read_or_refused(header in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Element::last_of(&header);
        }

        #[test]
        fn garbage_of_the_right_alphabet_is_read_or_refused(header in r#"[URI=,;"\\ aé]{0,60}"#) {
            let _ = Element::last_of(header.as_bytes());
        }
    }
}
