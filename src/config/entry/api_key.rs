//! The section `api_key` of an entry.

use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::header_name;
use crate::provider::{ApiKeyPlacement, ProviderKind};

/// Reads `api_key`. None is told.
pub(super) fn placement(
    raw: Option<&raw::ApiKey>,
    kind: ProviderKind,
    at: &At<'_>,
) -> Option<ApiKeyPlacement> {
    let usual = kind.api_key_placement();
    let Some(raw) = raw else { return Some(usual) };
    let header = match &raw.header {
        Some(text) => header_name(text, &at.key("header"))?,
        None => usual.header.clone(),
    };
    let prefix = match &raw.prefix {
        Some(text) => {
            let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !printable || text.starts_with(' ') || text.len() > 32 {
                at.key("prefix").fault(
                    "cannot stand before a key",
                    "at most 32 printable characters, as \"Bearer \"".to_owned(),
                );
                return None;
            }
            text.clone()
        }
        None if header == usual.header => usual.prefix,
        None if header == "authorization" => ApiKeyPlacement::bearer().prefix,
        None => String::new(),
    };
    Some(ApiKeyPlacement { header, prefix })
}
