//! The signature of a request to STS (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::borrow::Cow;

use aws_sigv4::http_request::{SignableBody, SignableRequest};
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
    let (added, _query) = keys.sign(request, region, "sts", at)?.into_parts();
    let lines = added.iter().map(|line| (line.name().into(), Secret::new(line.value().to_owned())));
    Some(lines.collect())
}
