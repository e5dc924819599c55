//! Path prefixes of all entries, of which at most one fits a path: found by one binary search.

use std::cmp::Ordering;
use std::iter::once;

use super::index::Conflicts;

/// Prefixes in the order of their keys, none beginning with another.
#[derive(Debug, Default)]
pub(super) struct Prefixes(Vec<Prefix>);

/// A prefix. Sorted by key first, the wider reach first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix {
    /// The prefix with one `/` at its end, so that no key begins with another unless the one lies below the other.
    key: Box<str>,
    reach: Reach,
    entry: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// `/openai`: the path itself and all below it.
    ItselfAndBelow,
    /// `/openai/`: what lies below it.
    Below,
}

impl Prefixes {
    pub(super) fn new<'a>(
        prefixes: impl Iterator<Item = (&'a str, usize)>,
        conflicts: &mut Conflicts,
    ) -> Self {
        let mut sorted: Vec<Prefix> = prefixes.filter_map(|(text, entry)| Prefix::new(text, entry)).collect();
        sorted.sort_unstable();
        let mut kept: Vec<Prefix> = Vec::with_capacity(sorted.len());
        // The kept prefixes above the current one, widest first.
        let mut above: Vec<Prefix> = Vec::new();
        for prefix in sorted {
            while above.pop_if(|upper| !prefix.key.starts_with(&*upper.key)).is_some() {}
            match above.last() {
                // Its own entry takes these paths already.
                Some(upper) if upper.entry == prefix.entry => continue,
                Some(upper) => {
                    conflicts.add("path_prefix", (upper.entry, upper.text()), (prefix.entry, prefix.text()));
                }
                None => {}
            }
            above.push(prefix.clone());
            kept.push(prefix);
        }
        Self(kept)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry whose prefix fits. Of sorted keys that never begin with one another, only the last that is not behind
    /// the path can be its beginning.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let behind = self.0.partition_point(|prefix| prefix.order(path) != Ordering::Greater);
        let candidate = self.0.get(behind.checked_sub(1)?)?;
        candidate.fits(path).then_some(candidate.entry)
    }
}

impl Prefix {
    /// None for a text that is the beginning of no path.
    fn new(text: &str, entry: usize) -> Option<Self> {
        if !text.starts_with('/') {
            return None;
        }
        let (key, reach) = match text.strip_suffix('/') {
            Some(_) => (text.to_owned(), Reach::Below),
            None => (format!("{text}/"), Reach::ItselfAndBelow),
        };
        Some(Self { key: key.into(), reach, entry })
    }

    fn order(&self, path: &str) -> Ordering {
        self.key.bytes().cmp(path.bytes().chain(once(b'/')))
    }

    fn fits(&self, path: &str) -> bool {
        path.starts_with(&*self.key) || self.reach == Reach::ItselfAndBelow && self.text() == path
    }

    /// As it was written.
    fn text(&self) -> &str {
        match self.reach {
            Reach::Below => &self.key,
            Reach::ItselfAndBelow => self.key.strip_suffix('/').unwrap_or(&self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefixes(list: &[(&str, usize)]) -> (Prefixes, usize) {
        let mut conflicts = Conflicts::default();
        let prefixes = Prefixes::new(list.iter().copied(), &mut conflicts);
        (prefixes, conflicts.into_result(()).map_or_else(|list| list.len(), |()| 0))
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let (found, conflicts) =
            prefixes(&[("/openai", 0), ("/openai-x/", 1), ("/openai.b", 2), ("/z/a/", 3)]);
        assert_eq!(conflicts, 0);
        for (path, entry) in [
            ("/openai", Some(0)),
            ("/openai/", Some(0)),
            ("/openai/x", Some(0)),
            ("/openaix", None),
            ("/openai-x", None),
            ("/openai-x/", Some(1)),
            ("/openai-x/y", Some(1)),
            ("/openai.b/y", Some(2)),
            ("/OPENAI/x", None),
            ("/z/a", None),
            ("/z/a/b/c", Some(3)),
            ("/", None),
            ("/zz", None),
        ] {
            assert_eq!(found.find(path), entry, "{path}");
        }
    }

    #[test]
    fn nested_and_equal_prefixes_of_two_entries_conflict() {
        for (one, other) in [("/a", "/a"), ("/a", "/a/"), ("/a/", "/a/b"), ("/", "/a"), ("/a", "/a/b/c/")] {
            assert_eq!(prefixes(&[(one, 0), (other, 1)]).1, 1, "{one} {other}");
            assert_eq!(prefixes(&[(other, 0), (one, 1)]).1, 1, "{other} {one}");
            assert_eq!(prefixes(&[(one, 0), (other, 0)]).1, 0, "{one} {other} of one entry");
        }
        assert_eq!(prefixes(&[("/a", 0), ("/ab", 1), ("/a-b", 2)]).1, 0);
    }

    #[test]
    fn what_begins_no_path_selects_nobody() {
        let (found, _) = prefixes(&[("", 0), ("v1", 0), ("//", 0)]);
        assert_eq!(found.find("/v1"), None);
        assert_eq!(found.find("/"), None);
    }

    proptest! {
        #[test]
        fn the_search_finds_what_a_walk_over_all_finds(
            texts in prop::collection::vec("(/[ab.-]{1,2}){1,3}/?", 1..6),
            path in "(/[ab.-]{1,2}){0,4}/?",
        ) {
            // One entry may nest its own prefixes; the answer is then the same for each of them.
            let list: Vec<_> = texts.iter().map(|text| (text.as_str(), 0)).collect();
            let walk = list.iter().any(|(text, _)| match text.strip_suffix('/') {
                Some(_) => path.starts_with(text),
                None => path == *text || path.starts_with(&format!("{text}/")),
            });
            prop_assert_eq!(prefixes(&list).0.find(&path).is_some(), walk);
        }
    }
}
