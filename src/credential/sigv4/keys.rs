//! Keys of AWS: one immutable piece, so that a signature is never made of two of them.

use std::hash::{Hash, Hasher};

use aws_credential_types::Credentials;

use crate::base::{Fingerprint, FingerprintKey, Secret};

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

impl AwsKeys {
    /// The name of these keys. All three parts make it: a secret that was mistyped is another one when it is mended.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        let token = self.session_token.as_ref().map_or("", |token| token.expose().as_str());
        let parts = [self.access_key_id.as_str(), self.secret_access_key.expose(), token];
        let joined = Secret::new(parts.join("\0"));
        key.of(joined.expose().as_bytes())
    }

    /// The same in the form that `aws-sigv4` takes, which is wiped as well.
    pub(super) fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose().clone());
        Credentials::new(&*self.access_key_id, self.secret_access_key.expose(), token, None, "bouncer")
    }
}

impl Hash for AwsKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let session_token = self.session_token.as_ref().map(Secret::expose);
        (&self.access_key_id, self.secret_access_key.expose(), session_token).hash(state);
    }
}
