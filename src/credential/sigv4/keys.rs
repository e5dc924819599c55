//! Keys of AWS: one immutable piece, so that a signature is never made of two of them.

use std::hash::{Hash, Hasher};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableRequest, SigningInstructions};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::base::{Fingerprint, FingerprintKey, Secret, UnixTime};

/// Keys of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// Which they are; not secret, and AWS shows it in its records.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Secret<String>,
    /// Of temporary keys.
    pub session_token: Option<Secret<String>>,
}

/// The end of the year 9999: dates have four digits.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

/// Signs `request` as every service but S3 reads it: its path is encoded once more. None where it cannot be signed.
pub(super) fn sign(
    identity: &Identity,
    request: SignableRequest<'_>,
    region: &str,
    service: &str,
    at: UnixTime,
) -> Option<SigningInstructions> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(at.0)).filter(|_| at.0 <= LAST_SECOND)?;
    let params = SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(service)
        .time(time)
        .settings(http_request::SigningSettings::default())
        .build()
        .ok()?
        .into();
    Some(http_request::sign(request, &params).ok()?.into_parts().0)
}

impl AwsKeys {
    /// Signs one request that is our own, as [`super::Signer`] does those of callers. None where it cannot be signed.
    #[must_use]
    pub fn sign(
        &self,
        request: SignableRequest<'_>,
        region: &str,
        service: &str,
        at: UnixTime,
    ) -> Option<SigningInstructions> {
        sign(&self.identity(), request, region, service, at)
    }

    /// The name of these keys. All three parts make it: a secret that was mistyped is another one when it is mended.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        let token = self.session_token.as_ref().map_or("", |token| token.expose().as_str());
        let parts = [self.access_key_id.as_str(), self.secret_access_key.expose(), token];
        let joined = Secret::new(parts.join("\0"));
        key.of(joined.expose().as_bytes())
    }

    /// The same in the form that `aws-sigv4` takes, which is wiped as well.
    pub(super) fn identity(&self) -> Identity {
        let token = self.session_token.as_ref().map(|token| token.expose().clone());
        Credentials::new(&*self.access_key_id, self.secret_access_key.expose(), token, None, "bouncer").into()
    }
}

impl Hash for AwsKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let session_token = self.session_token.as_ref().map(Secret::expose);
        (&self.access_key_id, self.secret_access_key.expose(), session_token).hash(state);
    }
}
