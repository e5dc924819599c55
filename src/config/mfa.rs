//! The section `mfa` and how an entry narrows it.

use std::time::Duration;

use super::callers::texts;
use super::limits::{duration, nonzero};
use super::place::At;
use super::raw;
use crate::policy::MfaRule;

/// What one place says; what it does not say is left to the one above.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    amr: Option<Vec<String>>,
    acr_values: Option<Vec<String>>,
    max_age: Option<Duration>,
}

/// Reads a section `mfa`.
pub(super) fn fields(raw: Option<&raw::Mfa>, at: &At<'_>) -> Fields {
    let Some(raw) = raw else { return Fields::default() };
    let acr_at = at.key("acr_values");
    for (index, acr) in raw.acr_values.iter().flat_map(raw::Items::iter) {
        // The challenge names them in one text, divided by blanks (RFC 9470 section 3).
        if acr.chars().any(|character| character.is_whitespace() || character.is_control()) {
            acr_at.index(index).fault("has a blank in it, which no acr value can have", None);
        }
    }
    let max_age_at = at.key("max_age");
    Fields {
        amr: raw.amr.as_ref().map(|items| texts(Some(items), &at.key("amr"))),
        acr_values: raw.acr_values.as_ref().map(|items| texts(Some(items), &acr_at)),
        max_age: raw
            .max_age
            .as_ref()
            .and_then(|text| duration(text, &max_age_at))
            .filter(|age| nonzero(*age, &max_age_at)),
    }
}

/// The rule of an entry with `mfa_required`: its own fields over the global ones over the defaults.
pub(super) fn rule(own: Fields, global: &Fields) -> MfaRule {
    MfaRule {
        amr: own.amr.or_else(|| global.amr.clone()).unwrap_or_else(|| vec!["mfa".to_owned()]),
        acr_values: own.acr_values.or_else(|| global.acr_values.clone()).unwrap_or_default(),
        max_age: own.max_age.or(global.max_age),
    }
}
