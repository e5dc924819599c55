//! The section `callers`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::limits::duration_or;
use super::place::At;
use super::raw::{self, Items};
use super::settings::Limits;
use super::wire::{header_name, url};
use crate::identity::{
    Algorithm, CallersSettings, CertificateSource, IssuerSettings, MtlsSettings, TrustDomain, WorkloadMark,
};

/// Where unmodified LLM SDKs put their key.
const TOKEN_FROM: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const LONGEST_LEEWAY: Duration = Duration::from_secs(60);

/// Reads `callers`. Issuers that are wrong are told and left out.
pub(super) fn callers(raw: raw::Callers, limits: &Limits, at: &At<'_>) -> Option<CallersSettings> {
    let jwt_at = at.key("jwt");
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut jwt = Vec::new();
    for (index, raw) in raw.jwt.iter().flat_map(Items::iter) {
        let at = jwt_at.index(index);
        if let Some(issuer) = &raw.issuer
            && let Some(first) = seen.insert(issuer.clone(), index)
        {
            at.key("issuer")
                .fault(format!("is the same issuer as callers.jwt[{first}]"), "each issuer once".to_owned());
        }
        jwt.extend(issuer(raw, &at));
    }
    let mtls = raw.mtls.map(|raw| mtls(&raw, &at.key("mtls")));
    Some(CallersSettings {
        jwt,
        mtls: mtls.flatten(),
        max_token: limits.max_token,
        verified_tokens: limits.verified_tokens,
    })
}

/// Whether some issuer can never say that there was MFA: Google's ID tokens have neither `amr` nor `acr`.
pub(super) fn has_issuer_without_mfa(raw: Option<&raw::Callers>) -> bool {
    let issuers = raw.and_then(|raw| raw.jwt.as_ref()).into_iter().flat_map(Items::iter);
    issuers.into_iter().filter_map(|(_, raw)| raw.issuer.as_deref()).any(|issuer| {
        let host = issuer.strip_prefix("https://").unwrap_or(issuer);
        host.trim_end_matches('/').eq_ignore_ascii_case("accounts.google.com")
    })
}

fn issuer(raw: &raw::Issuer, at: &At<'_>) -> Option<IssuerSettings> {
    let issuer =
        raw.issuer.as_ref().and_then(|text| url(text, &at.key("issuer")).map(|_| Arc::from(text.as_str())));
    let jwks_uri = raw.jwks_uri.as_ref().map(|text| url(text, &at.key("jwks_uri")));
    let audiences = texts(raw.audiences.as_ref(), &at.key("audiences"));
    let algorithms = match &raw.algorithms {
        Some(items) => items.iter().map(|(_, algorithm)| supported(*algorithm)).collect(),
        None => Algorithm::ALL.to_vec(),
    };
    let token_from = match &raw.token_from {
        Some(items) => {
            let at = at.key("token_from");
            items.iter().filter_map(|(index, name)| header_name(name, &at.index(index))).collect()
        }
        None => TOKEN_FROM.map(str::to_owned).to_vec(),
    };
    let leeway_at = at.key("leeway");
    let leeway = duration_or(raw.leeway.as_ref(), &leeway_at, Duration::from_secs(30));
    if leeway.is_some_and(|leeway| leeway > LONGEST_LEEWAY) {
        leeway_at
            .fault("is too long: for so long an ended token would still be taken", "at most 60s".to_owned());
    }
    let workloads = raw.workloads.iter().flatten();
    let workloads = workloads.filter_map(|(claim, value)| {
        if claim.is_empty() || value.is_empty() {
            at.key("workloads")
                .key(claim)
                .fault("is empty", "a claim and its value, as idtyp: app".to_owned());
            return None;
        }
        Some(WorkloadMark { claim: claim.clone(), value: value.clone() })
    });
    let workloads = workloads.collect();
    Some(IssuerSettings {
        issuer: issuer?,
        audiences,
        jwks_uri: match jwks_uri {
            Some(None) => return None,
            Some(url) => url,
            None => None,
        },
        algorithms,
        token_from,
        groups_claim: raw.groups_claim.clone(),
        workloads,
        leeway: leeway?,
    })
}

const fn supported(raw: raw::Algorithm) -> Algorithm {
    match raw {
        raw::Algorithm::RS256 => Algorithm::Rs256,
        raw::Algorithm::RS384 => Algorithm::Rs384,
        raw::Algorithm::RS512 => Algorithm::Rs512,
        raw::Algorithm::PS256 => Algorithm::Ps256,
        raw::Algorithm::PS384 => Algorithm::Ps384,
        raw::Algorithm::PS512 => Algorithm::Ps512,
        raw::Algorithm::ES256 => Algorithm::Es256,
        raw::Algorithm::ES384 => Algorithm::Es384,
        raw::Algorithm::EdDSA => Algorithm::EdDsa,
    }
}

fn mtls(raw: &raw::Mtls, at: &At<'_>) -> Option<MtlsSettings> {
    let at_domains = at.key("trust_domains");
    let domains = raw.trust_domains.as_ref()?.iter();
    let trust_domains = domains.filter_map(|(index, text)| {
        let domain = TrustDomain::parse(text).ok();
        if domain.is_none() {
            at_domains.index(index).fault(
                "is not a SPIFFE trust domain",
                "its name alone, as mesh.example: a-z, 0-9, . _ -".to_owned(),
            );
        }
        domain
    });
    let trust_domains = trust_domains.collect();
    let from = match raw.from {
        None | Some(raw::CertificateSource::Attributes) => CertificateSource::Attributes,
        Some(raw::CertificateSource::Xfcc) => CertificateSource::Xfcc,
    };
    Some(MtlsSettings { from, trust_domains })
}

/// The texts of a list; empty ones are told.
pub(super) fn texts(raw: Option<&Items<String>>, at: &At<'_>) -> Vec<String> {
    let items = raw.into_iter().flat_map(Items::iter);
    let full = items.filter(|(index, text)| {
        if text.is_empty() {
            at.index(*index).fault("is empty", None);
        }
        !text.is_empty()
    });
    full.map(|(_, text)| text.clone()).collect()
}
