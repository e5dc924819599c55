//! The section `match` of an entry.

use super::place::At;
use super::raw::{self, Items};
use crate::provider::{Glob, Match, MetadataMatch};
use crate::request::Path;

/// Reads `match`. What is wrong is told and left out.
pub(super) fn matches(raw: Option<&raw::Match>, at: &At<'_>) -> Match {
    let Some(raw) = raw else { return Match::default() };
    let list = |items: &Option<Items<String>>, name, read: fn(&str, &At<'_>) -> Option<Glob>| {
        let at = at.key(name);
        let items = items.iter().flat_map(Items::iter);
        items.filter_map(|(index, text)| read(text, &at.index(index))).collect()
    };
    let prefix_at = at.key("path_prefix");
    let prefixes = raw.path_prefix.iter().flat_map(Items::iter);
    Match {
        cluster: list(&raw.cluster, "cluster", glob),
        route: list(&raw.route, "route", glob),
        authority: list(&raw.authority, "authority", authority),
        path_prefix: prefixes
            .filter_map(|(index, text)| path_prefix(text, &prefix_at.index(index)))
            .collect(),
        metadata: raw.metadata.as_ref().and_then(metadata),
    }
}

fn glob(text: &str, at: &At<'_>) -> Option<Glob> {
    if text.chars().any(char::is_control) {
        at.fault("has a control character in it", None);
        return None;
    }
    let glob = Glob::new(text);
    if glob.is_none() {
        at.fault("is empty", "a name; * stands for any run of characters".to_owned());
    }
    glob
}

fn authority(text: &str, at: &At<'_>) -> Option<Glob> {
    let port = text
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*'));
    if port || text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'/' | b'@' | b'?' | b'#'))
    {
        at.fault(
            "is not a host",
            "a host name without scheme, port and path; * stands for any run of characters".to_owned(),
        );
        return None;
    }
    glob(&text.to_ascii_lowercase(), at)
}

fn path_prefix(text: &str, at: &At<'_>) -> Option<String> {
    let what = match Path::parse(text) {
        Err(error) => error.to_string(),
        Ok(_) if text.contains('?') => "has a query, which never takes part in a decision".to_owned(),
        Ok(_) if text.contains('*') => "has a *, which means nothing in a path prefix".to_owned(),
        Ok(_) => return Some(text.to_owned()),
    };
    at.fault(what, "the beginning of a path, as /openai/".to_owned());
    None
}

fn metadata(raw: &raw::Metadata) -> Option<MetadataMatch> {
    Some(MetadataMatch {
        namespace: raw.namespace.clone()?,
        key: raw.key.clone()?,
        value: raw.value.clone()?,
    })
}
