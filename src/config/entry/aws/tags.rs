//! Tags of a role's session, and which of them the roles behind it have too
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::place::At;
use crate::config::raw::{self, Items, MOST_TAGS};

const TAGS: &str = "a key of 1 to 128 and a value of at most 256 letters, digits, blanks and _.:/=+-@";

/// Keys that are settled for every role that follows, and by which one. In lower case, as AWS compares them.
#[derive(Debug, Default)]
pub(super) struct Transitive(BTreeMap<String, usize>);

/// Reads `tags`. What is wrong is told and left out.
pub(super) fn tags(raw: &raw::Role, at: &At<'_>) -> Vec<(String, String)> {
    if !at.has_form() {
        at.fault("has too many tags", format!("at most {MOST_TAGS}"));
    }
    let mut seen = BTreeSet::new();
    let mut tags = Vec::new();
    for (key, value) in raw.tags.iter().flatten() {
        let at = at.key(key);
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            at.fault_at_key("begins with aws:, which AWS keeps to itself", "another key".to_owned());
        } else if !at.has_form() {
            at.fault_at_key("is not a tag", TAGS.to_owned());
        } else if !seen.insert(key.to_lowercase()) {
            at.fault_at_key(
                "is there twice: AWS reads upper and lower case alike",
                "each key once".to_owned(),
            );
        } else {
            tags.push((key.clone(), value.clone()));
        }
    }
    tags
}

/// Reads `transitive_tags`. What is wrong is told and left out.
pub(super) fn transitive(raw: &raw::Role, at: &At<'_>) -> Vec<String> {
    let tags_at = at.key("tags");
    let at = at.key("transitive_tags");
    if !at.has_form() {
        at.fault("has too many tags", format!("at most {MOST_TAGS}"));
    }
    let mut keys = BTreeSet::new();
    let items = raw.transitive_tags.iter().flat_map(Items::iter);
    let right = items.filter(|(index, key)| {
        let at = at.index(*index);
        let told = tags_at.was_skipped() || tags_at.key(key).was_skipped();
        if !told && !raw.tags.as_ref().is_some_and(|tags| tags.contains_key(*key)) {
            at.fault("is none of this role's tags", "a key of tags".to_owned());
        } else if !keys.insert((*key).clone()) {
            at.fault("stands here twice", "each key once".to_owned());
        } else {
            return true;
        }
        false
    });
    right.map(|(_, key)| key.clone()).collect()
}

impl Transitive {
    /// Adds those of a role, after a look whether it has one of an earlier role again: AWS refuses it, whatever the value.
    pub(super) fn add(&mut self, raw: &raw::Role, index: usize, at: &At<'_>) {
        let at = at.key("tags");
        for key in raw.tags.iter().flatten().map(|(key, _)| key) {
            if let Some(first) = self.0.get(&key.to_lowercase()) {
                let what =
                    format!("is a transitive tag of roles[{first}], and no later role can set it again");
                at.key(key).fault_at_key(what, "another key".to_owned());
            }
        }
        for (_, key) in raw.transitive_tags.iter().flat_map(Items::iter) {
            self.0.entry(key.to_lowercase()).or_insert(index);
        }
    }
}
