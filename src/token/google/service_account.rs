//! `service_account.json`: the key of a service account, as Google's console writes it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::KeyFault;
use super::document::{foreign, parse, required};
use super::hosts::Hosts;
use crate::base::Secret;

/// The key of a service account.
#[derive(Debug)]
pub(super) struct ServiceAccount {
    /// Who signs.
    pub(super) client_email: String,
    /// `kid` of the assertion.
    pub(super) private_key_id: String,
    /// PEM.
    pub(super) private_key: Secret<String>,
    /// Where the assertion goes.
    pub(super) token_uri: Url,
}

/// As it is written. What is of no use here is known all the same: everything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    r#type: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    client_email: Option<String>,
    token_uri: Option<String>,
    universe_domain: Option<String>,
    quota_project_id: Option<String>,
    #[serde(rename = "project_id")]
    _project_id: Option<IgnoredAny>,
    #[serde(rename = "client_id")]
    _client_id: Option<IgnoredAny>,
    #[serde(rename = "auth_uri")]
    _auth_uri: Option<IgnoredAny>,
    #[serde(rename = "auth_provider_x509_cert_url")]
    _auth_provider: Option<IgnoredAny>,
    #[serde(rename = "client_x509_cert_url")]
    _client_certificate: Option<IgnoredAny>,
}

impl ServiceAccount {
    /// Reads the file. `user_project` is the entry's own.
    ///
    /// # Errors
    /// [`KeyFault`] says what to mend.
    pub(super) fn parse(text: &str, hosts: Hosts<'_>, user_project: Option<&str>) -> Result<Self, KeyFault> {
        let raw: Raw = parse(text)?;
        let private_key = raw.private_key.map(Secret::new);
        if raw.r#type.as_deref() != Some("service_account") {
            return Err(KeyFault::Type("service_account"));
        }
        foreign(raw.universe_domain.as_deref(), raw.quota_project_id.as_deref(), user_project)?;
        Ok(Self {
            client_email: required("client_email", raw.client_email)?,
            private_key_id: required("private_key_id", raw.private_key_id)?,
            private_key: private_key.ok_or(KeyFault::Missing("private_key"))?,
            token_uri: hosts.url("token_uri", &required("token_uri", raw.token_uri)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(changes: &[(&str, Value)]) -> Result<ServiceAccount, KeyFault> {
        let mut file = json!({
            "type": "service_account", "project_id": "p", "private_key_id": "kid-1",
            "private_key": "-----BEGIN hunter2", "client_email": "sa@p.iam.gserviceaccount.com",
            "client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/x509/x", "universe_domain": "googleapis.com",
        });
        for (name, value) in changes {
            file[*name] = value.clone();
        }
        ServiceAccount::parse(&file.to_string(), Hosts { extra: &[] }, Some("payer"))
    }

    #[test]
    fn the_console_s_file_is_read_and_shows_no_key() {
        let account = parsed(&[("quota_project_id", json!("payer"))]).unwrap();
        assert_eq!(account.client_email, "sa@p.iam.gserviceaccount.com");
        assert_eq!((account.private_key_id.as_str(), account.token_uri.path()), ("kid-1", "/token"));
        assert!(!format!("{account:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_not_such_a_file_is_refused() {
        for (name, value, fault) in [
            ("type", json!("authorized_user"), KeyFault::Type("service_account")),
            ("type", Value::Null, KeyFault::Type("service_account")),
            ("private_key", Value::Null, KeyFault::Missing("private_key")),
            ("private_key_id", json!(""), KeyFault::Missing("private_key_id")),
            ("client_email", json!("a b"), KeyFault::Unfit("client_email")),
            ("token_uri", json!("https://evil.example/token"), KeyFault::Host("token_uri")),
            ("token_uri", json!("http://oauth2.googleapis.com/token"), KeyFault::Host("token_uri")),
            ("universe_domain", json!("other.example"), KeyFault::Universe),
            ("quota_project_id", json!("other"), KeyFault::QuotaProject),
            ("delegates", json!([]), KeyFault::UnknownField("delegates".to_owned())),
            ("private_key", json!({"hunter2": 1}), KeyFault::NotJson),
        ] {
            assert_eq!(parsed(&[(name, value)]).unwrap_err(), fault);
        }
    }
}
