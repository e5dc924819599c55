//! What a signature would be made of, for people: the same scope, the same headers and the same refusals as the signature itself.

use super::canonical_request::{CanonicalRequest, StringToSign, amz_date};
use super::scope::Scope;
use super::sign::content_type;
use super::{ClockSkews, Signer, SigningError};
use crate::base::{Now, Secret};
use crate::request::{Body, PayloadHash, RequestView};

/// What is signed.
#[derive(Debug)]
pub struct Explanation {
    /// The host.
    pub host: String,
    /// The region in the scope.
    pub region: String,
    /// The service in the scope.
    pub service: String,
    /// What is hashed.
    pub canonical: CanonicalRequest,
    /// What is signed.
    pub string: StringToSign,
    /// Why it is not signed after all.
    pub refusal: Option<SigningError>,
}

impl Signer {
    /// What [`Signer::sign`] signs of `view`, its keys' secret aside. A body that is not there counts as an empty one.
    ///
    /// # Errors
    /// [`SigningError`] where host, region or service are not known.
    pub fn explain(&self, view: &RequestView<'_>, now: Now) -> Result<Explanation, SigningError> {
        let Scope { host, region, service } = Scope::of(self, view)?;
        let payload = match view.body {
            Body::Whole(body) => PayloadHash::of(body),
            Body::Hashed(hash) => hash,
            Body::Empty | Body::Awaited | Body::Lost(_) => PayloadHash::of(&[]),
        };
        let plain = |name: &str, value: &str| (name.to_owned(), Secret::new(value.to_owned()));
        let mut headers = vec![plain("host", &host), plain("x-amz-date", &amz_date(now.unix))];
        headers.extend(content_type(&view.headers).map(|value| plain("content-type", value)));
        let token = self.keys.session_token.iter();
        headers.extend(token.map(|token| ("x-amz-security-token".to_owned(), token.clone())));
        let canonical = CanonicalRequest::new(view.method, view.raw_path, headers, &payload);
        Ok(Explanation {
            string: StringToSign::new(now.unix, &region, service, canonical.hash()),
            canonical,
            refusal: self.sign(view, now, &ClockSkews::default()).err(),
            service: service.to_owned(),
            region: region.into_owned(),
            host: host.into_owned(),
        })
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
