//! `vertex`: Google Cloud. Which credential it is, the secret says.

use std::net::IpAddr;

use url::Host;

use super::parameters;
use crate::config::environment::Environment;
use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::url_or;
use crate::token::GoogleSettings;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const METADATA: &str = "http://metadata.google.internal";

/// Reads `vertex` and `scopes`. None is told.
pub(super) fn google(raw: &raw::Provider, environment: &Environment, at: &At<'_>) -> Option<GoogleSettings> {
    let mut scopes = parameters::scopes(raw.scopes.as_ref(), &at.key("scopes"));
    if scopes.is_empty() {
        scopes.push(SCOPE.to_owned());
    }
    let at = at.key("vertex");
    let own = raw.vertex.as_ref();
    let hosts = own.and_then(|own| own.allowed_token_hosts.as_ref());
    let hosts_at = at.key("allowed_token_hosts");
    let allowed_token_hosts = hosts
        .into_iter()
        .flat_map(raw::Items::iter)
        .filter_map(|(index, text)| host(text, &hosts_at.index(index)))
        .collect();
    let metadata =
        url_or(own.and_then(|own| own.metadata_endpoint.as_deref()), METADATA, &at.key("metadata_endpoint"));
    let user_project =
        own.and_then(|own| own.user_project.as_ref()).and_then(|text| project(text, &at.key("user_project")));
    if at.was_skipped() {
        return None;
    }
    Some(GoogleSettings {
        scopes,
        allowed_token_hosts,
        metadata: metadata?,
        user_project,
        aws: environment.aws.clone(),
    })
}

/// A host as URLs name it. The addresses of others have no place in a list of names.
fn host(text: &str, at: &At<'_>) -> Option<String> {
    let host = Host::parse(text).ok().filter(|_| !text.contains(['*', '%']));
    let fit = match &host {
        Some(Host::Domain(name)) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        }
        Some(Host::Ipv4(ip)) => IpAddr::V4(*ip).is_loopback() && text == ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if !fit {
        at.fault("is not the name of a host", "a host name without scheme, port, path and *".to_owned());
    }
    host.filter(|_| fit).map(|host| host.to_string())
}

fn project(text: &str, at: &At<'_>) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    let fit = !text.is_empty() && text.len() <= 128 && text.bytes().all(inner);
    if !fit {
        at.fault("is not a project of Google's", "its ID or number".to_owned());
    }
    fit.then(|| text.to_owned())
}
