//! How a client shows itself at a token endpoint (RFC 6749 section 2.3, RFC 7523, RFC 8705).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::{
    AssertionHeader, ClientAuth, ClientTls, Material, Params, RsaScheme, SecretFault, SigningKey,
    SourceErrorKind, client_claims, thumbprint,
};
use crate::base::{Secret, UnixTime};

/// The value of `client_assertion_type` for every assertion that is a JWT.
pub(super) const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client, ready to show itself.
#[derive(Debug)]
pub(super) enum Client {
    /// In the header `authorization`.
    Basic { header: Secret<String>, secret: Secret<String> },
    /// In the body.
    Post { id: String, secret: Secret<String> },
    /// By a JWT that it signs.
    PrivateKeyJwt { id: String, key: SigningKey, kid: Option<String>, x5t_s256: Option<String> },
    /// By its name, the proof of which is elsewhere: in the certificate on the connection, or nowhere.
    Named(String),
    /// Not at all: the token that is presented speaks for itself.
    Nameless,
}

/// Whether a grant works without a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// There has to be one.
    Client,
    /// A token is presented that may speak for itself.
    Nothing,
}

impl Client {
    /// The client of `material`: as `method` says, else as what the secret holds allows.
    pub(super) fn new(
        method: Option<ClientAuth>,
        need: Need,
        material: &Material,
        tls: &ClientTls,
    ) -> Result<Self, SecretFault> {
        let id = || match material.find("client_id") {
            Some(id) => Ok(id.expose().clone()),
            None => Err(material.lacks("client_id")),
        };
        let secret = || material.find("client_secret").ok_or_else(|| material.lacks("client_secret"));
        let named = |need| match (id(), need) {
            (Ok(id), _) => Ok(Self::Named(id)),
            (Err(_), Need::Nothing) => Ok(Self::Nameless),
            (Err(fault), Need::Client) => Err(fault),
        };
        match method {
            Some(ClientAuth::Basic) => Ok(Self::basic(&id()?, secret()?)),
            Some(ClientAuth::Post) => Ok(Self::Post { id: id()?, secret: secret()?.clone() }),
            Some(ClientAuth::PrivateKeyJwt) => Self::private_key_jwt(id()?, material),
            Some(ClientAuth::TlsClientAuth) if tls.identity.is_none() => {
                Err(SecretFault::NoClientCertificate)
            }
            Some(ClientAuth::TlsClientAuth) => Ok(Self::Named(id()?)),
            Some(ClientAuth::None) => named(need),
            None => match (material.find("client_secret"), material.find("private_key")) {
                (Some(_), Some(_)) => Err(SecretFault::Undecided {
                    name: material.name().to_owned(),
                    keys: "client_secret, private_key",
                }),
                (Some(secret), None) => Ok(Self::basic(&id()?, secret)),
                (None, Some(_)) => Self::private_key_jwt(id()?, material),
                // A public client has nothing but its name, and no server gives it a token for that alone.
                (None, None)
                    if need == Need::Client && tls.identity.is_none() && !material.is_refreshed() =>
                {
                    id()?;
                    Err(material.lacks("client_secret, private_key"))
                }
                (None, None) => named(need),
            },
        }
    }

    fn basic(id: &str, secret: &Secret<String>) -> Self {
        Self::Basic { header: basic(id, secret), secret: secret.clone() }
    }

    /// The secret that it shows in another form.
    pub(super) fn secret(&self) -> Option<&Secret<String>> {
        match self {
            Self::Basic { secret, .. } => Some(secret),
            _ => None,
        }
    }

    fn private_key_jwt(id: String, material: &Material) -> Result<Self, SecretFault> {
        let pem = material.find("private_key").ok_or_else(|| material.lacks("private_key"))?;
        let name = || material.name().to_owned();
        let key = SigningKey::from_pem(pem, RsaScheme::Rs256)
            .map_err(|_| SecretFault::PrivateKey { name: name() })?;
        let x5t_s256 = material.find("certificate").map(|pem| thumbprint(pem.expose())).transpose();
        let x5t_s256 = x5t_s256.map_err(|_| SecretFault::Certificate { name: name() })?;
        let kid = material.find("key_id").map(|kid| kid.expose().clone());
        Ok(Self::PrivateKeyJwt { id, key, kid, x5t_s256 })
    }

    /// Adds what shows the client to `params`, and gives the header `authorization` where it goes there.
    pub(super) fn show(
        &self,
        params: Params,
        endpoint: &Url,
        now: UnixTime,
    ) -> Result<(Params, Option<Secret<String>>), SourceErrorKind> {
        Ok(match self {
            // Never both ways at once, and never in the URL (RFC 6749 section 2.3).
            Self::Basic { header, .. } => (params, Some(header.clone())),
            Self::Post { id, secret } => {
                (params.with("client_id", id).with_secret("client_secret", secret), None)
            }
            Self::PrivateKeyJwt { id, key, kid, x5t_s256 } => {
                let header = AssertionHeader { kid: kid.as_deref(), x5t_s256: x5t_s256.as_deref() };
                let jwt = key.sign(header, &client_claims(id, endpoint.as_str(), now)?)?;
                let params = params
                    .with("client_id", id)
                    .with("client_assertion_type", JWT_BEARER_ASSERTION)
                    .with_secret("client_assertion", &jwt);
                (params, None)
            }
            Self::Named(id) => (params.with("client_id", id), None),
            Self::Nameless => (params, None),
        })
    }
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before RFC 7617 joins them.
fn basic(id: &str, secret: &Secret<String>) -> Secret<String> {
    let secret = secret.expose();
    let mut pair = Zeroizing::new(String::with_capacity((id.len() + secret.len()) * 3 + 1));
    byte_serialize(id.as_bytes()).for_each(|piece| pair.push_str(piece));
    pair.push(':');
    byte_serialize(secret.as_bytes()).for_each(|piece| pair.push_str(piece));
    let mut header = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
    header.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut header);
    Secret::new(header)
}

#[cfg(test)]
#[path = "client_auth_tests.rs"]
mod tests;
