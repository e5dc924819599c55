//! Header names and values of a request, as slices of the message they came in.

/// One header line. Envoy hands names over in lower case; what a client spelled with `_` or `.` stays as it was.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// Name as Envoy sent it.
    pub name: &'a str,
    /// Value as bytes: it need not be UTF-8.
    pub value: &'a [u8],
}

/// All header lines in the order they came, pseudo headers included.
///
/// On the heap, with room for those of an ordinary request: a view is handed on from stage to stage, and a kilobyte that is
/// copied each time costs more than one allocation.
pub struct Headers<'a>(Vec<Header<'a>>);

/// More lines than an ordinary request has.
const USUAL: usize = 32;

impl<'a> Headers<'a> {
    /// Appends a line.
    pub fn push(&mut self, name: &'a str, value: &'a [u8]) {
        self.0.push(Header { name, value });
    }

    /// Every line.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + '_ {
        self.0.iter().copied()
    }

    /// Every value of the header with just this lower-case name (ASCII case of the line does not matter).
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.0.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }

    /// The value of a header that stands there once; none when it is absent **or stands there more than once**.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self(Vec::with_capacity(USUAL))
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(lines: I) -> Self {
        Self(lines.into_iter().map(|(name, value)| Header { name, value }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_stands_there_twice_is_not_the_only_one() {
        let headers: Headers<'_> = [("a", b"1".as_slice()), ("b", b"2"), ("a", b"3")].into_iter().collect();
        assert_eq!(headers.only("a"), None);
        assert_eq!(headers.only("b"), Some(b"2".as_slice()));
        assert_eq!(headers.all("A").count(), 2);
    }
}
