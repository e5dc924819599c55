//! One signature: one snapshot of the keys, one time, the host and path that leave, the body that leaves.

use std::sync::Arc;

use aws_sigv4::http_request::{SignableBody, SignableRequest};
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::uri::PathAndQuery;
use smallvec::SmallVec;
use thiserror::Error;

use super::scope::Scope;
use super::{AwsKeys, ClockSkews, canonical, keys};
use crate::base::{Now, SecretBytes, UnixTime};
use crate::request::{Body, BodyFault, HeaderValue, Headers, PayloadHash, RequestView, SetHeader};

/// Keys with what is signed with them; one snapshot, which nothing changes.
#[derive(Clone, Debug)]
pub struct Signer {
    pub(super) keys: AwsKeys,
    pub(super) region: Option<String>,
    pub(super) settings: Arc<SigningSettings>,
    /// The keys as `aws-sigv4` takes them, and the line of the session token: made once.
    identity: Identity,
    token: Option<SetHeader>,
}

/// What an entry says of its signatures (`aws`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SigningSettings {
    /// Name of the entry: no other believes what is said to it.
    pub entry: Arc<str>,
    /// Region in the credential scope; none: the secret's, the host's, the environment's.
    pub region: Option<String>,
    /// `AWS_REGION`, for who says nothing.
    pub ambient_region: Option<String>,
    /// Service in the credential scope; none: as the host says, else that of `endpoint_prefix`.
    pub service: Option<String>,
    /// The host that Envoy writes into the request, where this filter cannot see it.
    pub host: Option<String>,
    /// Of an entry for one service of AWS, how the hosts of its regional endpoints begin ([`super::BEDROCK_RUNTIME`]).
    pub endpoint_prefix: Option<&'static str>,
}

/// What was signed, for the answer.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The entry.
    pub entry: Arc<str>,
    /// The host.
    pub host: Box<str>,
    /// The region in the scope.
    pub region: Box<str>,
    /// The service in the scope.
    pub service: Box<str>,
    /// When, by our clock.
    pub at: Now,
    /// The time in the signature, by the host's.
    pub time: UnixTime,
}

/// Why a request is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SigningError {
    /// Its body has to be seen first.
    #[error("the body is not there yet")]
    BodyAwaited,
    /// Its body cannot be had.
    #[error(transparent)]
    Body(#[from] BodyFault),
    /// A signature of the caller's own stands in the query.
    #[error("the query has parameters of a presigned request (X-Amz-…)")]
    Presigned,
    /// The query has two readings.
    #[error("the query has a character that AWS and clients read in two ways; percent-encode it")]
    Query,
    /// A model's ARN with raw slashes.
    #[error("the model's ARN has a raw slash; it has to be %2F")]
    ModelArn,
    /// Nobody says which region it is.
    #[error("the region is not known: set aws.region")]
    NoRegion,
    /// Nobody says which service it is.
    #[error("the service's name is not known: set aws.service")]
    NoService,
    /// The request goes to another host than the entry says.
    #[error("the request goes to another host than aws.host says")]
    Host,
    /// The host is of another region.
    #[error("the host is in another region than aws.region says")]
    Region,
    /// The host is of another service.
    #[error("the host is of another service than aws.service says")]
    Service,
    /// The request cannot be written in canonical form.
    #[error("the request has no canonical form")]
    Canonical,
}

const TOKEN: &str = "x-amz-security-token";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Signer {
    /// A signer with these keys. `region` is that of the secret, where it has one; the entry's own goes first.
    #[must_use]
    pub fn new(keys: AwsKeys, region: Option<String>, settings: Arc<SigningSettings>) -> Self {
        let token = keys.session_token.as_ref().map(|token| line(TOKEN, token.expose()));
        Self { identity: keys.identity(), keys, region, settings, token }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &AwsKeys {
        &self.keys
    }

    /// The lines that sign `view`. That its body is missing is said last: nobody is asked for the body of a request that is
    /// refused anyway.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(
        &self,
        view: &RequestView<'_>,
        now: Now,
        clocks: &ClockSkews,
    ) -> Result<(SmallVec<[SetHeader; 1]>, Signed), SigningError> {
        canonical::check(view.method, view.raw_path)?;
        let Scope { host, region, service } = Scope::of(self, view)?;
        if service.starts_with("bedrock") && canonical::cuts_an_arn(view.raw_path) {
            return Err(SigningError::ModelArn);
        }
        let hash = match view.body {
            Body::Empty => PayloadHash::of(&[]),
            Body::Whole(body) => PayloadHash::of(body),
            Body::Hashed(hash) => hash,
            Body::Lost(_) | Body::Awaited if PathAndQuery::try_from(view.raw_path).is_err() => {
                return Err(SigningError::Canonical);
            }
            Body::Lost(fault) => return Err(fault.into()),
            Body::Awaited => return Err(SigningError::BodyAwaited),
        };
        let content_type = content_type(&view.headers).map(|value| ("content-type", value));
        let request = SignableRequest::new(
            view.method,
            view.raw_path,
            [("host", &*host)].into_iter().chain(content_type),
            SignableBody::Precomputed(hash.hex()),
        )
        .map_err(|_| SigningError::Canonical)?;
        let time = clocks.time_at(&self.settings.entry, &host, now.unix);
        let made = keys::sign(&self.identity, request, &region, service, time);
        let (lines, _query) = made.ok_or(SigningError::Canonical)?.into_parts();
        let set = lines.into_iter().map(|made| match &self.token {
            Some(token) if made.name() == TOKEN => token.clone(),
            _ => line(made.name(), made.value()),
        });
        let entry = Arc::clone(&self.settings.entry);
        let (host, region, service) = (host.into(), region.into(), service.into());
        Ok((set.collect(), Signed { entry, host, region, service, at: now, time }))
    }
}

/// The access key id in a signature of version 4, to know a signature of our own again.
#[must_use]
pub fn access_key_id_of(authorization: &[u8]) -> Option<&str> {
    let rest = str::from_utf8(authorization).ok()?.strip_prefix(ALGORITHM)?;
    let (id, _) = rest.trim_start_matches(' ').strip_prefix("Credential=")?.split_once('/')?;
    let is_id = (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && rest.starts_with(' ');
    is_id.then_some(id)
}

/// `content-type`, where it stands there once and every reader trims it to the same text. AWS does without it.
pub(super) fn content_type<'a>(headers: &Headers<'a>) -> Option<&'a str> {
    let value = str::from_utf8(headers.only("content-type")?).ok()?;
    let is_plain = !value.is_empty()
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && value.trim_matches(' ').len() == value.len()
        && !value.contains("  ");
    is_plain.then_some(value)
}

fn line(name: &'static str, value: &str) -> SetHeader {
    let value = match name {
        "x-amz-date" => HeaderValue::Plain(Bytes::copy_from_slice(value.as_bytes())),
        _ => HeaderValue::Sensitive(SecretBytes::new(value.as_bytes().to_vec())),
    };
    SetHeader { name: Bytes::from_static(name.as_bytes()), value }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
