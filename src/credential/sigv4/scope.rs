//! Which host is signed, and for which region and service.

use std::borrow::Cow;

use super::endpoint::{MANTLE, aws_host, default_host, is_same_host, is_valid_host, signing_name};
use super::{Signer, SigningError};
use crate::request::{Half, RequestView};

/// What a signature is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope<'s> {
    /// The host that leaves.
    pub(super) host: Cow<'s, str>,
    pub(super) region: Cow<'s, str>,
    pub(super) service: &'s str,
}

impl<'s> Scope<'s> {
    pub(super) fn of(signer: &'s Signer, view: &'s RequestView<'_>) -> Result<Self, SigningError> {
        let settings = &*signer.settings;
        let region = settings.region.as_deref().or(signer.region.as_deref());
        let ambient = settings.ambient_region.as_deref();
        let host = host(signer, view, region.or(ambient))?;
        let named = aws_host(&host);
        if named.is_none() && !is_valid_host(&host) {
            return Err(SigningError::Canonical);
        }
        let region = match (region, named.as_ref().map(|named| &*named.region)) {
            (Some(region), Some(named)) if region != named => return Err(SigningError::Region),
            (Some(region), _) => Cow::Borrowed(region),
            (None, Some(named)) => Cow::Owned(named.to_owned()),
            (None, None) => Cow::Borrowed(ambient.ok_or(SigningError::NoRegion)?),
        };
        let own = settings.endpoint_prefix.and_then(signing_name);
        let service = match (settings.service.as_deref(), named.and_then(|named| named.service)) {
            (Some(service), Some(named)) if service != named => return Err(SigningError::Service),
            (Some(service), _) => service,
            // An entry for Bedrock takes the names of its services, and no others.
            (None, Some(named)) if own.is_some_and(|own| !named.starts_with(own)) => {
                return Err(SigningError::Service);
            }
            (None, Some(named)) => named,
            (None, None) => own.ok_or(SigningError::NoService)?,
        };
        Ok(Self { host, region, service })
    }
}

fn host<'s>(
    signer: &'s Signer,
    view: &'s RequestView<'_>,
    region: Option<&str>,
) -> Result<Cow<'s, str>, SigningError> {
    let settings = &*signer.settings;
    let sent = Cow::Borrowed(view.authority);
    if view.envoy.upstream || view.half == Half::Upstream {
        return match settings.host.as_deref() {
            None => Ok(sent),
            Some(host) if is_same_host(host, view.authority) => Ok(sent),
            Some(_) if is_written(view) => Err(SigningError::Host),
            Some(host) => Ok(Cow::Borrowed(host)),
        };
    }
    match (settings.host.as_deref(), settings.endpoint_prefix) {
        (Some(host), _) => Ok(Cow::Borrowed(host)),
        // The caller spoke to the gateway's own name, and Envoy will write that of the endpoint.
        (None, Some(prefix)) if aws_host(view.authority).is_none() => {
            let prefix = settings.service.as_deref().filter(|service| *service == MANTLE).unwrap_or(prefix);
            Ok(Cow::Owned(default_host(prefix, region.ok_or(SigningError::NoRegion)?)))
        }
        (None, _) => Ok(sent),
    }
}

/// Whether `:authority` is the host that leaves for sure. `auto_host_rewrite` writes that of the endpoint when there is a
/// connection to it: where one has to be opened, after the filters of the cluster were asked (Envoy 1.36.2 and 1.40.0). Until
/// then it is the caller's, and on a retry that of the attempt before.
fn is_written(view: &RequestView<'_>) -> bool {
    view.headers.only("x-envoy-attempt-count") == Some(b"1")
        && view.headers.all("x-envoy-original-host").next().is_some()
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
