//! The assertion of an application that has a certificate
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).

use std::time::Duration;

use url::Url;

use crate::base::{Secret, UnixTime};
use crate::token::{
    AssertionHeader, MaterialFault, RsaScheme, SigningKey, SourceErrorKind, client_claims, thumbprint,
};

/// Microsoft's page: five to ten minutes after `nbf` at most.
const LIFE: Duration = Duration::from_secs(300);

/// A certificate that is registered with an application, and its key.
#[derive(Debug)]
pub(super) struct Certificate {
    key: SigningKey,
    x5t_s256: String,
}

impl Certificate {
    /// Takes the first certificate and the first private key of two PEM texts.
    ///
    /// # Errors
    /// [`MaterialFault::Certificate`], [`MaterialFault::PrivateKey`].
    pub(super) fn new(
        certificate: &Secret<String>,
        private_key: &Secret<String>,
    ) -> Result<Self, MaterialFault> {
        let x5t_s256 = thumbprint(certificate.expose())?;
        let key = SigningKey::from_pem(private_key, RsaScheme::Ps256)?;
        Ok(Self { key, x5t_s256 })
    }

    /// What shows `client_id` to the token endpoint at `url`, for one use.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        url: &Url,
        now: UnixTime,
    ) -> Result<Secret<String>, SourceErrorKind> {
        let mut claims = client_claims(client_id, url.as_str(), now)?;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("nbf".to_owned(), now.0.into());
            claims.insert("exp".to_owned(), now.plus(LIFE).0.into());
        }
        let header = AssertionHeader { x5t_s256: Some(&self.x5t_s256), ..AssertionHeader::default() };
        Ok(self.key.sign(header, &claims)?)
    }
}
