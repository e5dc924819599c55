//! `external_account.json`: workload identity federation, as `gcloud iam workload-identity-pools create-cred-config` writes it.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::KeyFault;
use super::document::{foreign, parse, required};
use super::hosts::Hosts;
use super::subject_source::{RawSource, SubjectSource};

/// How long an impersonated token lives where the file does not say.
const LIFETIME: u64 = 3_600;

/// An identity that another issuer vouches for.
#[derive(Debug)]
pub(super) struct ExternalAccount {
    /// The provider of the pool: `//iam.googleapis.com/projects/…`.
    pub(super) audience: String,
    /// What the subject token is.
    pub(super) subject_token_type: String,
    /// The security token service.
    pub(super) token_url: Url,
    /// Whose tokens are asked for with it; none where it is good by itself.
    pub(super) impersonation: Option<Impersonation>,
    /// Where the subject token comes from.
    pub(super) source: SubjectSource,
}

/// A service account that is impersonated.
#[derive(Debug)]
pub(super) struct Impersonation {
    /// `…:generateAccessToken`.
    pub(super) url: Url,
    /// How long its tokens live.
    pub(super) lifetime: Duration,
}

/// As it is written. What is of no use here is known all the same: everything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    r#type: Option<String>,
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<RawImpersonation>,
    credential_source: Option<RawSource>,
    universe_domain: Option<String>,
    quota_project_id: Option<String>,
    client_id: Option<IgnoredAny>,
    client_secret: Option<IgnoredAny>,
    workforce_pool_user_project: Option<IgnoredAny>,
    #[serde(rename = "token_info_url")]
    _token_info_url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImpersonation {
    token_lifetime_seconds: Option<u64>,
}

impl ExternalAccount {
    /// Reads the file. `user_project` is the entry's own.
    ///
    /// # Errors
    /// [`KeyFault`] says what to mend.
    pub(super) fn parse(text: &str, hosts: Hosts<'_>, user_project: Option<&str>) -> Result<Self, KeyFault> {
        let raw: Raw = parse(text)?;
        if raw.r#type.as_deref() != Some("external_account") {
            return Err(KeyFault::Type("external_account"));
        }
        foreign(raw.universe_domain.as_deref(), raw.quota_project_id.as_deref(), user_project)?;
        if raw.client_id.is_some() || raw.client_secret.is_some() || raw.workforce_pool_user_project.is_some()
        {
            return Err(KeyFault::Workforce);
        }
        let lifetime = raw.service_account_impersonation.and_then(|raw| raw.token_lifetime_seconds);
        let impersonation = match raw.service_account_impersonation_url {
            Some(url) => Some(Impersonation::parse(&url, lifetime, hosts)?),
            None => None,
        };
        Ok(Self {
            audience: required("audience", raw.audience)?,
            subject_token_type: required("subject_token_type", raw.subject_token_type)?,
            token_url: hosts.url("token_url", &required("token_url", raw.token_url)?)?,
            impersonation,
            source: raw.credential_source.ok_or(KeyFault::NoSource)?.parse(hosts)?,
        })
    }
}

impl Impersonation {
    fn parse(url: &str, lifetime: Option<u64>, hosts: Hosts<'_>) -> Result<Self, KeyFault> {
        const FIELD: &str = "service_account_impersonation_url";
        let url = hosts.url(FIELD, url)?;
        if !url.path().ends_with(":generateAccessToken") || url.query().is_some() || url.fragment().is_some()
        {
            return Err(KeyFault::Unfit(FIELD));
        }
        let seconds = lifetime.unwrap_or(LIFETIME);
        // The most is 12 h, and beyond 1 h only where the organization allows it.
        if !(600..=43_200).contains(&seconds) {
            return Err(KeyFault::Lifetime);
        }
        Ok(Self { url, lifetime: Duration::from_secs(seconds) })
    }
}

#[cfg(test)]
#[path = "external_account_tests.rs"]
mod tests;
