//! What the environment says of the identity that a machine has from its platform.

use std::ffi::OsString;

use crate::base::Secret;
use crate::credential::AwsKeys;
use crate::token::{AwsEnvironment, WebIdentity};

/// The environment, as far as an entry may lean on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    pub(super) azure: AzureEnvironment,
    pub(super) aws: AwsEnvironment,
    pub(super) web_identity: Option<WebIdentity>,
    /// `AWS_ENDPOINT_URL_STS`, where it is not to be ignored
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
    pub(super) sts_endpoint: Option<String>,
}

/// What the webhook of workload identity on AKS sets.
#[derive(Clone, Debug, Default)]
pub(super) struct AzureEnvironment {
    /// `AZURE_CLIENT_ID`
    pub(super) client_id: Option<String>,
    /// `AZURE_TENANT_ID`
    pub(super) tenant_id: Option<String>,
    /// `AZURE_FEDERATED_TOKEN_FILE`
    pub(super) token_file: Option<String>,
    /// `AZURE_AUTHORITY_HOST`
    pub(super) authority_host: Option<String>,
}

impl Environment {
    /// That of this process.
    #[allow(clippy::disallowed_methods, reason = "config is one of the rooms that may read the environment")]
    pub(super) fn of_process() -> Self {
        Self::from(|name| std::env::var_os(name))
    }

    /// What `read` knows. A variable without a value is none.
    pub(super) fn from(read: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| read(name)?.into_string().ok().filter(|text| !text.is_empty());
        let ignored = text("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let ignored = ignored.is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let keys = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY"));
        Self {
            azure: AzureEnvironment {
                client_id: text("AZURE_CLIENT_ID"),
                tenant_id: text("AZURE_TENANT_ID"),
                token_file: text("AZURE_FEDERATED_TOKEN_FILE"),
                authority_host: text("AZURE_AUTHORITY_HOST"),
            },
            aws: AwsEnvironment {
                region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")),
                keys: keys.map(|(access_key_id, secret_access_key)| AwsKeys {
                    access_key_id,
                    secret_access_key: Secret::new(secret_access_key),
                    session_token: text("AWS_SESSION_TOKEN").map(Secret::new),
                }),
            },
            web_identity: text("AWS_WEB_IDENTITY_TOKEN_FILE").map(|token_file| WebIdentity {
                role_arn: text("AWS_ROLE_ARN"),
                token_file: token_file.into(),
                session_name: text("AWS_ROLE_SESSION_NAME"),
            }),
            sts_endpoint: text("AWS_ENDPOINT_URL_STS").filter(|_| !ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_without_a_value_is_none_and_half_a_key_is_no_key() {
        let environment = Environment::from(|name| match name {
            "AZURE_CLIENT_ID" => Some(OsString::new()),
            "AZURE_TENANT_ID" => Some("tenant".into()),
            "AWS_ACCESS_KEY_ID" => Some("id".into()),
            "AWS_DEFAULT_REGION" => Some("eu-west-1".into()),
            _ => None,
        });
        assert_eq!(environment.azure.client_id, None);
        assert_eq!(environment.azure.tenant_id.as_deref(), Some("tenant"));
        assert_eq!(environment.aws.region.as_deref(), Some("eu-west-1"));
        assert_eq!(environment.aws.keys, None);
    }

    #[test]
    fn a_web_identity_has_its_file_and_perhaps_a_role() {
        let web_identity = |with: &[&str]| {
            let read = |name: &str| with.contains(&name).then(|| format!("value-of-{name}").into());
            Environment::from(read).web_identity
        };
        let (file, role) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN");
        let expected = |role_arn: Option<&str>| WebIdentity {
            role_arn: role_arn.map(str::to_owned),
            token_file: format!("value-of-{file}").into(),
            session_name: None,
        };
        assert_eq!(web_identity(&[file, role]), Some(expected(Some("value-of-AWS_ROLE_ARN"))));
        assert_eq!(web_identity(&[file]), Some(expected(None)));
        assert_eq!(web_identity(&[role, "AWS_ROLE_SESSION_NAME"]), None);
    }

    #[test]
    fn an_endpoint_of_the_environment_can_be_ignored_as_the_sdks_do() {
        let endpoint = |ignored: &str| {
            let read = |name: &str| match name {
                "AWS_ENDPOINT_URL_STS" => Some("https://sts.example".into()),
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => Some(ignored.into()),
                _ => None,
            };
            Environment::from(read).sts_endpoint
        };
        for (ignored, found) in [("", true), ("false", true), ("true", false), ("True", false)] {
            assert_eq!(endpoint(ignored).is_some(), found, "{ignored}");
        }
    }

    #[test]
    fn keys_of_the_environment_are_shown_to_nobody() {
        let environment = Environment::from(|name| Some(format!("value-of-{name}").into()));
        let shown = format!("{environment:?}");
        let keys = environment.aws.keys.unwrap();
        assert_eq!(keys.secret_access_key.expose(), "value-of-AWS_SECRET_ACCESS_KEY");
        assert_eq!(keys.access_key_id, "value-of-AWS_ACCESS_KEY_ID");
        assert!(!shown.contains("SECRET_ACCESS_KEY") && !shown.contains("SESSION_TOKEN"), "{shown}");
    }
}
