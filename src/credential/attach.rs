//! The only writer of credential headers: takes the caller's away, puts the provider's on.

use super::Credential;
use crate::policy::Permit;
use crate::request::{HeaderMutation, Headers, RequestView, folded_eq, folds_to_prefix};

/// Names that may carry a credential or say whose it is, whatever the provider (PROVIDERS section 1), in canonical form.
const STRIPPED: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "x-forwarded-client-cert",
    "cookie",
];

/// Families of such names. `x-aigw-` carries credential overrides into Envoy AI Gateway.
const STRIPPED_FAMILIES: [&str; 3] = ["x-amz-", "x-goog-", "x-aigw-"];

/// Puts `credential` on the request. The permit is the proof that policy agreed.
#[must_use]
pub fn attach<'a>(
    _permit: &Permit<'_>,
    credential: &Credential,
    token_headers: &[String],
    view: &RequestView<'a>,
) -> HeaderMutation<'a> {
    let mut mutation = strip(token_headers, &view.headers);
    for line in view.headers.iter() {
        // A second line under the credential's own name, or a lenient spelling of it, must not survive beside ours.
        let ours = credential.set.iter().filter_map(|set| str::from_utf8(&set.name).ok());
        if ours.into_iter().any(|name| folded_eq(line.name, name)) && !mutation.remove.contains(&line.name) {
            mutation.remove.push(line.name);
        }
    }
    mutation.set.extend(credential.set.iter().cloned());
    for line in &credential.default {
        if str::from_utf8(&line.name).is_ok_and(|name| !view.headers.has(name)) {
            mutation.set.push(line.clone());
        }
    }
    mutation
}

/// The caller's own credentials, each name as the request spells it, once.
#[must_use]
pub fn strip<'a>(token_headers: &[String], headers: &Headers<'a>) -> HeaderMutation<'a> {
    let mut mutation = HeaderMutation::default();
    for line in headers.iter() {
        let stripped = STRIPPED.iter().any(|name| folded_eq(line.name, name))
            || STRIPPED_FAMILIES.iter().any(|prefix| folds_to_prefix(line.name, prefix))
            || token_headers.iter().any(|name| folded_eq(line.name, name));
        if stripped && !mutation.remove.contains(&line.name) {
            mutation.remove.push(line.name);
        }
    }
    mutation
}
