//! Literal text in which `*` stands for any run of characters, also an empty one. Nothing else is special.

use std::fmt;

/// A pattern; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

impl Glob {
    /// Reads a pattern; none when it is empty, because an empty pattern says nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for one text only.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether `text` fits. Takes time in proportion to the lengths of the two: each piece between stars is looked for once,
    /// from where the piece before it ended (the leftmost place is always as good as any other).
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((head, middle, tail)) = self.ends() else {
            return *self.0 == *text;
        };
        let Some(mut rest) = text.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)) else {
            return false;
        };
        for piece in middle.split('*') {
            match rest.split_once(piece) {
                _ if piece.is_empty() => {}
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }

    /// Whether there is a text that fits both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.ends(), other.ends()) {
            (None, _) => other.matches(&self.0),
            (_, None) => self.matches(&other.0),
            // Where both have a star, only what stands before the first and after the last can disagree: the longer head, the
            // pieces of the one, the pieces of the other and the longer tail, one after another, fit both.
            (Some((head, _, tail)), Some((other_head, _, other_tail))) => {
                (head.starts_with(other_head) || other_head.starts_with(head))
                    && (tail.ends_with(other_tail) || other_tail.ends_with(tail))
            }
        }
    }

    /// What stands before the first star, between the first and the last, and after the last; none for a literal.
    fn ends(&self) -> Option<(&str, &str, &str)> {
        let (head, rest) = self.0.split_once('*')?;
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        Some((head, middle, tail))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_run_and_nothing_else_is_special() {
        for (pattern, text, fits) in [
            ("openai", "openai", true),
            ("openai", "openai-2", false),
            ("openai", "OpenAI", false),
            ("open*", "open", true),
            ("open*", "openai", true),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "x", true),
            ("*-prod", "azure-prod", true),
            ("*-prod", "azure-prod-2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a.c", "abc", false),
            ("a?c", "abc", false),
            ("[a]", "a", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(glob(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_empty_pattern_is_none() {
        assert_eq!(Glob::new(""), None);
    }

    #[test]
    fn many_stars_do_not_take_long() {
        let pattern = glob(&"a*".repeat(1000));
        assert!(!glob(&format!("{pattern}b")).matches(&"a".repeat(100_000)));
        assert!(pattern.matches(&"a".repeat(100_000)));
        assert!(pattern.overlaps(&glob(&"*a".repeat(1000))));
    }

    /// The definition, word for word.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            Some((want, rest)) => {
                text.split_first().is_some_and(|(is, text)| is == want && by_definition(rest, text))
            }
        }
    }

    /// All texts over `ab` up to nine letters. Two patterns of up to four signs that overlap do so on at most eight.
    fn texts() -> impl Iterator<Item = String> {
        (0..=9_usize).flat_map(|length| {
            (0..1_u32 << length)
                .map(move |bits| (0..length).map(|at| if bits >> at & 1 == 1 { 'a' } else { 'b' }).collect())
        })
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(pattern in "[ab*]{1,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(glob(&pattern).matches(&text), by_definition(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn patterns_overlap_when_some_text_fits_both(one in "[ab*]{1,4}", other in "[ab*]{1,4}") {
            let (one, other) = (glob(&one), glob(&other));
            prop_assert_eq!(one.overlaps(&other), texts().any(|text| one.matches(&text) && other.matches(&text)));
            prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
        }
    }
}
