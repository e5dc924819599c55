//! `aws_sigv4`: what is signed, and the roles that are assumed for it. Which identity it begins with, the secret says; without
//! one, the machine.

mod roles;
mod signing;
mod tags;

use url::Url;

use crate::config::environment::Environment;
use crate::config::place::At;
use crate::config::raw;
use crate::config::wire::{URLS, parse, url};
use crate::credential::{aws_host, aws_partition};
use crate::provider::ProviderKind;
use crate::token::AwsSettings;
use roles::Base;

/// Reads `aws`. What is wrong is told and left out.
pub(super) fn aws(
    raw: &raw::Provider,
    kind: ProviderKind,
    name: &str,
    environment: &Environment,
    at: &At<'_>,
) -> AwsSettings {
    let own_at = at.key("aws");
    let own = raw.aws.as_ref();
    let ambient = raw.credential_ref.is_none() && !at.key("credential_ref").was_skipped();
    let base = if ambient { Base::Ambient } else { Base::Secret };
    let own_sts = own.and_then(|own| own.sts_endpoint.as_deref());
    let sts_endpoint =
        sts_endpoint(own_sts, environment.sts_endpoint.as_deref(), &own_at.key("sts_endpoint"));
    let ambient_region =
        signing::ambient_region(own, environment.aws.region.as_deref(), &own_at.key("region"));
    let signing = signing::signing(own, kind, name, ambient_region, &own_at);
    let roles = own.and_then(|own| own.roles.as_ref());
    let by_host = signing.host.as_deref().and_then(aws_host);
    let region = signing.region.as_deref().or(by_host.as_ref().map(|host| &*host.region));
    let partition = region.map(aws_partition);
    AwsSettings {
        name: name.to_owned(),
        sts_endpoint,
        roles: roles.map(|raw| roles::roles(raw, base, partition, &own_at.key("roles"))).unwrap_or_default(),
        signing,
        web_identity: environment.web_identity.clone(),
    }
}

/// That of the entry, else `ambient`, which is the environment's, as every SDK has it. A host of AWS that is another service
/// would be asked for a role with keys that it has no business to see.
fn sts_endpoint(own: Option<&str>, ambient: Option<&str>, at: &At<'_>) -> Option<Url> {
    let url = match own {
        Some(text) => url(text, at)?,
        None => parse(ambient.filter(|_| !at.was_skipped())?)
            .inspect_err(|_| at.fault("$AWS_ENDPOINT_URL_STS is no such URL", URLS.to_owned()))
            .ok()?,
    };
    // STS is none of the services that are called.
    let other = url.host_str().and_then(aws_host).and_then(|host| host.service);
    if other.is_some() {
        let what = if own.is_some() { "is" } else { "$AWS_ENDPOINT_URL_STS is" };
        at.fault(
            format!("{what} another service of AWS"),
            "STS, as https://sts.us-east-1.amazonaws.com".to_owned(),
        );
    }
    Some(url)
}

/// The text, where it has its form. What has not is told and left out.
fn formed(text: Option<&str>, what: &str, allowed: &str, at: &At<'_>) -> Option<String> {
    let text = text?;
    if at.has_form() {
        return Some(text.to_owned());
    }
    at.fault(what, allowed.to_owned());
    None
}
