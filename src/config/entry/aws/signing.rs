//! `region`, `service` and `host`: what stands in a signature.

use url::Host;

use super::formed;
use crate::config::place::At;
use crate::config::raw;
use crate::credential::{AwsHost, BEDROCK_RUNTIME, SigningSettings, aws_host, signing_name};
use crate::provider::ProviderKind;

const HOSTS: &str = "host or host:port in lower case, as the request has it, without scheme and path";
const REGIONS: &str = "the name of a region, as us-east-1";

/// Reads what is signed. What is wrong is told and left out.
pub(super) fn signing(
    raw: Option<&raw::Aws>,
    kind: ProviderKind,
    entry: &str,
    ambient_region: Option<String>,
    at: &At<'_>,
) -> SigningSettings {
    let (region_at, service_at, host_at) = (at.key("region"), at.key("service"), at.key("host"));
    let region =
        formed(raw.and_then(|raw| raw.region.as_deref()), "is not the name of a region", REGIONS, &region_at);
    let service = raw.and_then(|raw| raw.service.as_deref()).and_then(|text| service(text, &service_at));
    let host = raw.and_then(|raw| raw.host.as_deref()).and_then(|text| host(text, &host_at));
    let known = host.as_deref().and_then(aws_host);
    if let Some(known) = &known {
        tell_contradictions(known, kind, region.as_deref(), service.as_deref(), &host_at);
    }
    let named = known.is_some_and(|known| known.service.is_some());
    // What is there and wrong is told already.
    let unsaid = raw.is_none_or(|raw| raw.service.is_none()) && !service_at.was_skipped();
    let hostless = host.is_some() || raw.is_none_or(|raw| raw.host.is_none()) && !host_at.was_skipped();
    if kind == ProviderKind::Custom && !named && unsaid && hostless && !at.was_skipped() {
        service_at.fault(
            "is missing, and no host of AWS says it",
            "the service's name in a signature, as execute-api; or host".to_owned(),
        );
    }
    let endpoint_prefix = (kind == ProviderKind::Bedrock).then_some(BEDROCK_RUNTIME);
    SigningSettings { entry: entry.into(), region, ambient_region, service, host, endpoint_prefix }
}

/// `AWS_REGION`, where an entry leans on it.
pub(super) fn ambient_region(raw: Option<&raw::Aws>, ambient: Option<&str>, at: &At<'_>) -> Option<String> {
    let ambient = ambient?;
    let leans = raw.is_none_or(|raw| raw.region.is_none()) && !at.was_skipped();
    if !is_region(ambient) && leans {
        at.fault("$AWS_REGION is not the name of a region", REGIONS.to_owned());
    }
    is_region(ambient).then(|| ambient.to_owned())
}

/// The form that the schema wants, for a region that stands elsewhere.
fn is_region(text: &str) -> bool {
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let parts: Vec<&str> = text.split('-').collect();
    let [area, between @ .., number] = parts.as_slice() else { return false };
    (2..=4).contains(&area.len())
        && lower(area)
        && (1..=3).contains(&between.len())
        && between.iter().all(|part| lower(part))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn service(text: &str, at: &At<'_>) -> Option<String> {
    let allowed = "the service's name in a signature, as bedrock";
    // AWS would answer 403 and say nothing of it.
    if let Some(name) = signing_name(text).filter(|name| *name != text) {
        at.fault(format!("is how its hosts begin, and its name in a signature is {name}"), name.to_owned());
        return None;
    }
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: its path is encoded once.
    if text == "s3" || text.starts_with("s3-") {
        at.fault("signs in a way of its own, which is not supported", allowed.to_owned());
        return None;
    }
    formed(Some(text), "is not the name of a service", allowed, at)
}

fn host(text: &str, at: &At<'_>) -> Option<String> {
    let what = if text.contains("://") {
        "has a scheme"
    } else if text.contains('/') {
        "has a path"
    } else if !at.has_form() || !is_host(text) {
        "is not a host"
    } else {
        return Some(text.to_owned());
    };
    at.fault(what, HOSTS.to_owned());
    None
}

/// Whether every reader reads the same host and port.
fn is_host(text: &str) -> bool {
    let name = without_port(text);
    let port = text.get(name.len()..).unwrap_or_default();
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let same = Host::parse(name).is_ok_and(|host| host.to_string() == name);
    port && same && !name.split('.').any(str::is_empty)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// A host of AWS knows its region and mostly its service, and AWS would say no more than 403.
fn tell_contradictions(
    host: &AwsHost<'_>,
    kind: ProviderKind,
    region: Option<&str>,
    service: Option<&str>,
    at: &At<'_>,
) {
    if let Some(region) = region.filter(|region| *region != host.region) {
        let what = format!("is in {}, and aws.region says {region}", host.region);
        at.fault(what, format!("a host in {region}, or no aws.region"));
    }
    match (host.service, service) {
        (Some(own), Some(service)) if own != service => {
            let what = format!("is of {own}, and aws.service says {service}");
            at.fault(what, format!("a host of {service}, or no aws.service"));
        }
        (Some(own), None) if kind == ProviderKind::Bedrock && !own.starts_with("bedrock") => {
            let what = format!("is of {own}, and the provider is bedrock");
            at.fault(what, "a host of Bedrock; or provider custom".to_owned());
        }
        _ => {}
    }
}
