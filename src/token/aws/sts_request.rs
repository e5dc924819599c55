//! The signature of a request to STS (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use url::Url;

use crate::base::{Secret, UnixTime};
use crate::credential::AwsKeys;

/// The header lines that sign a POST of `body` to `url`; none where it cannot be signed.
pub(super) fn signature(
    keys: &AwsKeys,
    url: &Url,
    region: &str,
    (content_type, body): (&str, &[u8]),
    at: UnixTime,
) -> Option<Vec<(Cow<'static, str>, Secret<String>)>> {
    let host = match (url.host_str()?, url.port()) {
        (host, None) => host.to_owned(),
        (host, Some(port)) => format!("{host}:{port}"),
    };
    let headers = [("host", host.as_str()), ("content-type", content_type)];
    let request =
        SignableRequest::new("POST", url.as_str(), headers.into_iter(), SignableBody::Bytes(body)).ok()?;
    let identity = Credentials::new(
        &*keys.access_key_id,
        keys.secret_access_key.expose().as_str(),
        keys.session_token.as_ref().map(|token| token.expose().clone()),
        None,
        "bouncer",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(UNIX_EPOCH.checked_add(Duration::from_secs(at.0))?)
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let (added, _query) = sign(request, &params).ok()?.into_parts().0.into_parts();
    let line = |name: &str, value: &str| (Cow::Owned(name.to_owned()), Secret::new(value.to_owned()));
    Some(added.iter().map(|header| line(header.name(), header.value())).collect())
}
