//! Header names and values of a request, as slices of the message they came in.

/// One header line. Envoy hands names over in lower case; what a client spelled with `_` or `.` stays as it was.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// Name as Envoy sent it: text, as bytes.
    pub name: &'a [u8],
    /// Value as bytes: it need not be UTF-8.
    pub value: &'a [u8],
}

/// All header lines in the order they came, pseudo headers included.
///
/// On the heap, with room for those of an ordinary request: a view is handed on from stage to stage, and a kilobyte that is
/// copied each time costs more than one allocation.
pub struct Headers<'a> {
    lines: Vec<Header<'a>>,
    /// How long the names are, a bit each: most names that are looked for are as long as none.
    lengths: u64,
}

/// More lines than an ordinary request has.
const USUAL: usize = 32;

impl<'a> Headers<'a> {
    /// Appends a line.
    #[inline]
    pub fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.lengths |= bit(name.len());
        self.lines.push(Header { name, value });
    }

    /// Takes those away that `keep` is not for. (Their lengths stay: more is looked at then, and nothing is missed.)
    pub fn retain(&mut self, keep: impl FnMut(&Header<'a>) -> bool) {
        self.lines.retain(keep);
    }

    /// Every line.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + '_ {
        self.lines.iter().copied()
    }

    /// Every value of the header with just this lower-case name (ASCII case of the line does not matter).
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        let lines = if self.lengths & bit(name.len()) == 0 { &[] } else { self.lines.as_slice() };
        lines.iter().filter(move |line| line.is(name)).map(|line| line.value)
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

impl Header<'_> {
    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self { lines: Vec::with_capacity(USUAL), lengths: 0 }
    }
}

/// One bit a length; the longest share one.
const fn bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(lines: I) -> Self {
        let mut headers = Self::default();
        lines.into_iter().for_each(|(name, value)| headers.push(name.as_bytes(), value));
        headers
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
