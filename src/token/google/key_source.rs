//! The key of a service account against a token (RFC 7523 section 2.1)
//! (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::KEY;
use super::service_account::ServiceAccount;
use crate::base::{Secret, UnixTime};
use crate::token::{
    AssertionHeader, BodyFormat, GoogleSettings, KeyFault, Legs, MaterialFault, Minting, Origin, Outward,
    Params, RsaScheme, SigningKey, SourceError, TokenCall, TokenSource,
};

/// The most that Google takes.
const LIFE: Duration = Duration::from_secs(3_600);

/// A service account that signs for itself.
#[derive(Debug)]
pub(super) struct KeySource {
    client_email: String,
    private_key_id: String,
    key: SigningKey,
    url: Url,
    scopes: Vec<String>,
    outward: Outward,
}

impl KeySource {
    pub(super) fn new(
        account: ServiceAccount,
        settings: &GoogleSettings,
        outward: &Outward,
    ) -> Result<Self, KeyFault> {
        let ServiceAccount { client_email, private_key_id, private_key, token_uri: url } = account;
        let key = SigningKey::from_pem(&private_key, RsaScheme::Rs256).map_err(|_| KeyFault::PrivateKey)?;
        let scopes = settings.scopes.clone();
        Ok(Self { client_email, private_key_id, key, url, scopes, outward: outward.clone() })
    }

    fn assertion(&self, now: UnixTime) -> Result<Secret<String>, MaterialFault> {
        let header = AssertionHeader { kid: Some(&self.private_key_id), ..AssertionHeader::default() };
        let claims = json!({
            "iss": self.client_email,
            "scope": self.scopes.join(" "),
            "aud": self.url.as_str(),
            "iat": now.0,
            "exp": now.plus(LIFE).0,
        });
        self.key.sign(header, &claims)
    }
}

impl TokenSource for KeySource {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            let assertion = self.assertion(self.outward.clock.now().unix);
            let assertion = assertion.map_err(|fault| SourceError::new(KEY, None, fault))?;
            let params = Params::default()
                .with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                .with_secret("assertion", &assertion);
            let call = TokenCall::post(KEY, &self.url, params, BodyFormat::Form);
            self.outward.token(call, &self.scopes, legs).await
        })
    }

    fn name(&self) -> &'static str {
        "service_account_key"
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}
