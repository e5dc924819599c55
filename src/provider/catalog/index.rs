//! From the value of a fact to the entry that lists it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use super::{Conflict, MetadataMatch, Provider, authority, prefixes::Prefixes};
use crate::provider::Glob;

/// Namespace and key under which Envoy's metadata names a provider outright.
pub(super) const NAMED_BY: (&str, &str) = ("bouncer", "provider");

/// One table a fact. In each of them a value leads to one entry at most: anything else is a [`Conflict`].
#[derive(Debug)]
pub(super) struct Index {
    names: HashMap<Arc<str>, usize>,
    /// Further values of [`NAMED_BY`], from entries that list one that is not their name.
    named_by: HashMap<String, usize>,
    pub(super) cluster: Patterns,
    pub(super) route: Patterns,
    pub(super) authority: Patterns,
    pub(super) path: Prefixes,
    /// Other metadata, a table for each pair of namespace and key; there is seldom more than one.
    pub(super) metadata: Vec<MetadataValues>,
}

/// Literals by hash, globs one by one.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    literals: HashMap<Box<str>, usize>,
    globs: Vec<(Glob, usize)>,
}

/// The values that select under one namespace and key.
#[derive(Debug)]
pub(super) struct MetadataValues {
    pub(super) namespace: String,
    pub(super) key: String,
    pub(super) values: HashMap<String, usize>,
}

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Conflicts(Vec<Conflict>);

impl Index {
    pub(super) fn new(providers: &[Provider]) -> Result<Self, Vec<Conflict>> {
        let mut conflicts = Conflicts::default();
        let mut names = HashMap::with_capacity(providers.len());
        let mut named_by = HashMap::new();
        let mut metadata = HashMap::new();
        for (entry, provider) in providers.iter().enumerate() {
            conflicts.insert("name", &mut names, Arc::clone(&provider.name), entry);
        }
        for (entry, provider) in providers.iter().enumerate() {
            let Some(MetadataMatch { namespace, key, value }) = &provider.matches.metadata else {
                continue;
            };
            let values = if (namespace.as_str(), key.as_str()) == NAMED_BY {
                match names.get(value.as_str()) {
                    Some(other) if *other != entry => {
                        conflicts.add("metadata", (*other, value), (entry, value))
                    }
                    Some(_) | None => {}
                }
                &mut named_by
            } else {
                metadata.entry((namespace.clone(), key.clone())).or_insert_with(HashMap::new)
            };
            conflicts.insert("metadata", values, value.clone(), entry);
        }
        let with_entry = || providers.iter().map(|provider| &provider.matches).enumerate();
        let index = Self {
            cluster: Patterns::new(
                "cluster",
                with_entry().flat_map(|(entry, it)| it.cluster.iter().map(move |glob| (glob.clone(), entry))),
                &mut conflicts,
            ),
            route: Patterns::new(
                "route",
                with_entry().flat_map(|(entry, it)| it.route.iter().map(move |glob| (glob.clone(), entry))),
                &mut conflicts,
            ),
            authority: Patterns::new(
                "authority",
                with_entry().flat_map(|(entry, it)| {
                    it.authority.iter().filter_map(authority::pattern).map(move |glob| (glob, entry))
                }),
                &mut conflicts,
            ),
            path: Prefixes::new(
                with_entry()
                    .flat_map(|(entry, it)| it.path_prefix.iter().map(move |text| (text.as_str(), entry))),
                &mut conflicts,
            ),
            names,
            named_by,
            metadata: metadata
                .into_iter()
                .map(|((namespace, key), values)| MetadataValues { namespace, key, values })
                .collect(),
        };
        conflicts.into_result(index)
    }

    /// The entry of this name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The entry that a value of [`NAMED_BY`] means.
    pub(super) fn named_in_metadata(&self, value: &str) -> Option<usize> {
        self.named(value).or_else(|| self.named_by.get(value).copied())
    }
}

impl Patterns {
    fn new(fact: &str, patterns: impl Iterator<Item = (Glob, usize)>, conflicts: &mut Conflicts) -> Self {
        let mut new = Self::default();
        for (glob, entry) in patterns {
            if glob.is_literal() {
                conflicts.insert(fact, &mut new.literals, Box::from(glob.as_str()), entry);
            } else {
                new.globs.push((glob, entry));
            }
        }
        for (at, (glob, entry)) in new.globs.iter().enumerate() {
            for (other_glob, other) in new.globs.iter().take(at) {
                if entry != other && glob.overlaps(other_glob) {
                    conflicts.add(fact, (*other, other_glob.as_str()), (*entry, glob.as_str()));
                }
            }
            for (text, other) in &new.literals {
                if entry != other && glob.matches(text) {
                    conflicts.add(fact, (*other, text), (*entry, glob.as_str()));
                }
            }
        }
        new
    }

    /// The entry that lists a pattern that `text` fits. Patterns of two entries never fit the same text.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let glob = || self.globs.iter().find(|(glob, _)| glob.matches(text)).map(|(_, entry)| *entry);
        self.literals.get(text).copied().or_else(glob)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.globs.is_empty()
    }
}

impl Conflicts {
    /// As many as anybody reads; ten thousand equal entries would make millions.
    const MAX: usize = 1000;

    /// Notes that two entries could take the same request.
    pub(super) fn add(&mut self, fact: &str, one: (usize, &str), other: (usize, &str)) {
        if self.0.len() >= Self::MAX {
            return;
        }
        let (first, second) = if one.0 <= other.0 { (one, other) } else { (other, one) };
        let fact = if first.1 == second.1 {
            format!("{fact} {:?}", first.1)
        } else {
            format!("{fact} {:?} and {:?}", first.1, second.1)
        };
        self.0.push(Conflict { entries: (first.0, second.0), fact });
    }

    /// Puts a value into a table, or notes whose it is already.
    fn insert<K>(&mut self, fact: &str, table: &mut HashMap<K, usize>, value: K, entry: usize)
    where
        K: Eq + Hash + Borrow<str>,
    {
        match table.entry(value) {
            Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            Entry::Occupied(taken) if *taken.get() == entry => {}
            Entry::Occupied(taken) => {
                self.add(fact, (*taken.get(), taken.key().borrow()), (entry, taken.key().borrow()));
            }
        }
    }

    /// `good` when nothing was noted, else all of it in the order of the entries.
    pub(super) fn into_result<T>(mut self, good: T) -> Result<T, Vec<Conflict>> {
        if self.0.is_empty() {
            return Ok(good);
        }
        self.0.sort_unstable_by(|a, b| (a.entries, &a.fact).cmp(&(b.entries, &b.fact)));
        Err(self.0)
    }
}
