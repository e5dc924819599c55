//! `credential_source`: where the token of the other issuer comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;
use url::{Host, Url};

use super::KeyFault;
use super::document::required;
use super::hosts::Hosts;
use crate::base::Secret;

/// Where the subject token comes from. Programs are no source: whoever writes the file would run code here.
#[derive(Debug)]
pub(super) enum SubjectSource {
    /// A file, read again each time.
    File { path: PathBuf, format: Format },
    /// A server.
    Url { url: Url, headers: Vec<(String, Secret<String>)>, format: Format },
    /// A signed request of AWS.
    Aws(AwsSource),
}

/// How the subject token is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As it stands.
    Text,
    /// A field of a JSON object.
    Json { field: String },
}

/// `environment_id: aws1`.
#[derive(Debug)]
pub(super) struct AwsSource {
    /// Where the machine's zone is.
    pub(super) region_url: Option<Url>,
    /// Where the name of the machine's role is, and below that its keys.
    pub(super) credentials_url: Option<Url>,
    /// Where a session of IMDSv2 begins. Version 1 is not spoken: a forged request of the machine could read keys by it.
    pub(super) session_url: Option<Url>,
    /// The request to sign; `{region}` stands for the region.
    pub(super) verification_url: String,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    file: Option<String>,
    url: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    format: Option<RawFormat>,
    environment_id: Option<String>,
    region_url: Option<String>,
    regional_cred_verification_url: Option<String>,
    imdsv2_session_token_url: Option<String>,
    executable: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFormat {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

impl RawSource {
    /// Takes what is meant.
    ///
    /// # Errors
    /// [`KeyFault`] says what to mend.
    pub(super) fn parse(self, hosts: Hosts<'_>) -> Result<SubjectSource, KeyFault> {
        if self.executable.is_some() {
            return Err(KeyFault::Executable);
        }
        if self.certificate.is_some() {
            return Err(KeyFault::CertificateSource);
        }
        if self.environment_id.is_some() {
            return self.aws(hosts).map(SubjectSource::Aws);
        }
        let format = self.format.map_or(Ok(Format::Text), RawFormat::parse)?;
        if let Some(path) = self.file {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(SubjectSource::File { path, format })
            } else {
                Err(KeyFault::Unfit("credential_source.file"))
            };
        }
        let text = self.url.ok_or(KeyFault::NoSource)?;
        let headers = headers(self.headers.unwrap_or_default())?;
        let url = Url::parse(&text).map_err(|_| KeyFault::Unfit("credential_source.url"))?;
        if hosts.allow(&url) || is_azure_metadata(&url) {
            Ok(SubjectSource::Url { url, headers, format })
        } else {
            Err(KeyFault::Host("credential_source.url"))
        }
    }

    fn aws(self, hosts: Hosts<'_>) -> Result<AwsSource, KeyFault> {
        if self.environment_id.as_deref() != Some("aws1") {
            return Err(KeyFault::AwsVersion);
        }
        let metadata = |field: &'static str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => match Url::parse(&text) {
                Ok(url) if is_aws_metadata(&url) || is_named_loopback(&url, hosts) => Ok(Some(url)),
                _ => Err(KeyFault::AwsHost(field)),
            },
        };
        const VERIFICATION: &str = "regional_cred_verification_url";
        let source = AwsSource {
            region_url: metadata("region_url", self.region_url)?,
            credentials_url: metadata("url", self.url)?,
            session_url: metadata("imdsv2_session_token_url", self.imdsv2_session_token_url)?,
            verification_url: required(VERIFICATION, self.regional_cred_verification_url)?,
        };
        source.verification("us-east-1")?;
        Ok(source)
    }
}

impl AwsSource {
    /// The request that is signed in `region`: GetCallerIdentity and nothing else, at an STS of AWS.
    pub(super) fn verification(&self, region: &str) -> Result<Url, KeyFault> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || region.len() > 32 || !region.bytes().all(plain) {
            return Err(KeyFault::AwsVerification);
        }
        let url = Url::parse(&self.verification_url.replace("{region}", region))
            .map_err(|_| KeyFault::AwsVerification)?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name,
            _ => return Err(KeyFault::AwsVerification),
        };
        let of_sts = host.starts_with("sts.") || host.starts_with("sts-fips.");
        let of_aws =
            [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end));
        let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty();
        let whole = url.path() == "/" && url.fragment().is_none();
        let mut query: Vec<_> = url.query_pairs().collect();
        query.sort();
        let asked = [("Action".into(), "GetCallerIdentity".into()), ("Version".into(), "2011-06-15".into())];
        let fit = of_sts && of_aws && plain && whole && url.password().is_none() && query == asked;
        if fit { Ok(url) } else { Err(KeyFault::AwsVerification) }
    }
}

impl RawFormat {
    fn parse(self) -> Result<Format, KeyFault> {
        match (self.r#type.as_deref(), self.subject_token_field_name) {
            (Some("text") | None, None) => Ok(Format::Text),
            (Some("json"), Some(field)) if !field.is_empty() => Ok(Format::Json { field }),
            (Some("json"), _) => Err(KeyFault::Missing("subject_token_field_name")),
            _ => Err(KeyFault::Unfit("format")),
        }
    }
}

fn headers(raw: BTreeMap<String, String>) -> Result<Vec<(String, Secret<String>)>, KeyFault> {
    let mut headers = Vec::new();
    for (name, value) in raw {
        let value = Secret::new(value);
        let name = name.to_ascii_lowercase();
        let fit = http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && http::HeaderValue::from_str(value.expose()).is_ok()
            // These are the connection's own.
            && !["host", "connection", "content-length", "transfer-encoding", "te", "upgrade"].contains(&&*name);
        if !fit || headers.len() == 16 {
            return Err(KeyFault::Unfit("headers"));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// A managed identity of Azure is the subject of many pools, and this is the one place that has its tokens. Other machines'
/// metadata is at the same address, at other paths.
pub(super) fn is_azure_metadata(url: &Url) -> bool {
    is_plain_http(url)
        && matches!(url.host(), Some(Host::Ipv4(address)) if address.octets() == [169, 254, 169, 254])
        && url.path() == "/metadata/identity/oauth2/token"
}

fn is_aws_metadata(url: &Url) -> bool {
    is_plain_http(url)
        && match url.host() {
            Some(Host::Ipv4(address)) => address.octets() == [169, 254, 169, 254],
            Some(Host::Ipv6(address)) => address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
            _ => false,
        }
}

/// A stand-in for the metadata service on the same machine, where the operator says so.
fn is_named_loopback(url: &Url, hosts: Hosts<'_>) -> bool {
    url.scheme() == "http" && hosts.name(url) && hosts.allow(url)
}

fn is_plain_http(url: &Url) -> bool {
    url.scheme() == "http" && url.port().is_none() && url.username().is_empty() && url.password().is_none()
}
