//! Signed assertions (RFC 7523): the client's own JWT at a token endpoint.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{MaterialFault, SourceErrorKind};
use crate::base::{Secret, UnixTime};
use crate::outbound::OutboundError;

/// How long an assertion is good: it is used at once, and at most five minutes are allowed anywhere.
const LIFE: Duration = Duration::from_secs(120);

/// A private key that signs JWTs.
pub(super) struct SigningKey(Key);

enum Key {
    Rsa(RsaKeyPair, RsaScheme),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// What an RSA key signs with (RFC 7518 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RsaScheme {
    /// PKCS #1 v1.5, which everybody takes: `RS256`.
    Rs256,
    /// PSS: `PS256`.
    Ps256,
}

/// The optional fields of the header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AssertionHeader<'a> {
    /// `kid`.
    pub(super) kid: Option<&'a str>,
    /// `x5t#S256`, as [`thumbprint`] makes it.
    pub(super) x5t_s256: Option<&'a str>,
}

impl SigningKey {
    /// Reads the first private key of `pem`: PKCS #8, PKCS #1 or SEC 1; RSA of 2048 bits and more, P-256 or P-384.
    ///
    /// # Errors
    /// [`MaterialFault::PrivateKey`].
    pub(super) fn from_pem(pem: &Secret<String>, scheme: RsaScheme) -> Result<Self, MaterialFault> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| MaterialFault::PrivateKey)?;
        let rsa = match &*der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
            _ => None,
        };
        if let Some(rsa) = rsa {
            return Ok(Self(Key::Rsa(rsa, scheme)));
        }
        let ec = |algorithm| match &*der {
            PrivateKeyDer::Sec1(der) => {
                EcdsaKeyPair::from_private_key_der(algorithm, der.secret_sec1_der()).ok()
            }
            PrivateKeyDer::Pkcs8(der) => EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der()).ok(),
            _ => None,
        };
        ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(Key::P256)
            .or_else(|| ec(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Key::P384))
            .map(Self)
            .ok_or(MaterialFault::PrivateKey)
    }

    /// A JWT of `claims` in compact form.
    ///
    /// # Errors
    /// [`MaterialFault::PrivateKey`].
    pub(super) fn sign(
        &self,
        header: AssertionHeader<'_>,
        claims: &Value,
    ) -> Result<Secret<String>, MaterialFault> {
        let mut fields = json!({"alg": self.algorithm(), "typ": "JWT"});
        for (name, value) in [("kid", header.kid), ("x5t#S256", header.x5t_s256)] {
            if let (Some(value), Some(fields)) = (value, fields.as_object_mut()) {
                fields.insert(name.to_owned(), value.into());
            }
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&fields), part(claims));
        let signature = self.signature(signed.as_bytes()).map_err(|_| MaterialFault::PrivateKey)?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn algorithm(&self) -> &'static str {
        match self.0 {
            Key::Rsa(_, RsaScheme::Rs256) => "RS256",
            Key::Rsa(_, RsaScheme::Ps256) => "PS256",
            Key::P256(_) => "ES256",
            Key::P384(_) => "ES384",
        }
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match &self.0 {
            Key::Rsa(key, scheme) => {
                let encoding = match scheme {
                    RsaScheme::Rs256 => &RSA_PKCS1_SHA256,
                    RsaScheme::Ps256 => &RSA_PSS_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature)?;
                Ok(signature)
            }
            Key::P256(key) | Key::P384(key) => Ok(key.sign(&random, message)?.as_ref().to_vec()),
        }
    }
}

/// `x5t#S256` of the first certificate of `pem` (RFC 7515 section 4.1.8).
///
/// # Errors
/// [`MaterialFault::Certificate`].
pub(super) fn thumbprint(pem: &str) -> Result<String, MaterialFault> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| MaterialFault::Certificate)?;
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)))
}

/// The claims with which a client shows itself (RFC 7523 section 3, OpenID Connect Core section 9).
///
/// # Errors
/// [`OutboundError::Broken`] on a machine without randomness: `jti` has to be unique.
pub(super) fn client_claims(
    client_id: &str,
    audience: &str,
    now: UnixTime,
) -> Result<Value, SourceErrorKind> {
    Ok(json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": unique()?,
        "iat": now.0,
        "exp": now.plus(LIFE).0,
    }))
}

/// 128 random bits for `jti`.
///
/// # Errors
/// [`OutboundError::Broken`].
fn unique() -> Result<String, SourceErrorKind> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| OutboundError::Broken)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm()).finish()
    }
}

#[cfg(test)]
#[path = "assertion_tests.rs"]
mod tests;
