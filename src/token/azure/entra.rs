//! Client credentials at Microsoft Entra
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use std::path::{Path, PathBuf};

use url::Url;

use super::ENTRA;
use super::certificate::Certificate;
use crate::base::Secret;
use crate::token::{
    AzureSettings, BodyFormat, Legs, MaterialFault, Minting, OAuthCode, Origin, Outward, Params, SourceError,
    SourceErrorKind, Token, TokenCall, TokenSource, token_file,
};

/// What an assertion is, to Entra.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application.
#[derive(Debug)]
pub(super) struct Entra {
    url: Url,
    client_id: String,
    scopes: Vec<String>,
    proof: Proof,
    outward: Outward,
}

/// How an application shows that it is itself.
#[derive(Debug)]
pub(super) enum Proof {
    /// `client_secret`.
    Secret(Secret<String>),
    /// An assertion that the key of its certificate signs.
    Certificate(Certificate),
    /// A token of another issuer, which the kubelet keeps fresh in a file. Read again for every exchange.
    Federated(PathBuf),
}

impl Entra {
    /// The application `client_id` of `tenant`, which is fit to be a part of a path.
    pub(super) fn new(
        settings: &AzureSettings,
        tenant: &str,
        client_id: String,
        proof: Proof,
        outward: &Outward,
    ) -> Self {
        let mut url = settings.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        }
        Self { url, client_id, scopes: settings.scopes.clone(), proof, outward: outward.clone() }
    }

    async fn exchange(&self, proven: Params, legs: &mut Legs) -> Result<Token, SourceError> {
        let params = proven
            .with("grant_type", "client_credentials")
            .with("client_id", &self.client_id)
            .with("scope", &self.scopes.join(" "));
        let call = TokenCall::post(ENTRA, &self.url, params, BodyFormat::Form);
        let began = self.outward.clock.now();
        let mut token = self.outward.token(call, &self.scopes, legs).await?;
        token.refresh_in = token.refresh_in.map(|hint| hint.min(token.left(began)));
        Ok(token)
    }

    async fn federated(&self, path: &Path, legs: &mut Legs) -> Result<Token, SourceError> {
        let read = async || token_file::read(path).await.map_err(unread);
        let assertion = read().await?;
        let error = match self.exchange(asserted(&assertion), legs).await {
            Err(error) if is_refusal_of_the_assertion(&error) => error,
            other => return other,
        };
        // The kubelet may have replaced it between our reading and their judging.
        match read().await {
            Ok(newer) if newer != assertion => self.exchange(asserted(&newer), legs).await,
            _ => Err(error),
        }
    }
}

impl TokenSource for Entra {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            match &self.proof {
                Proof::Secret(secret) => {
                    self.exchange(Params::default().with_secret("client_secret", secret), legs).await
                }
                Proof::Certificate(certificate) => {
                    let now = self.outward.clock.now().unix;
                    let assertion = certificate
                        .assertion(&self.client_id, &self.url, now)
                        .map_err(|kind| SourceError::new(ENTRA, None, kind))?;
                    self.exchange(asserted(&assertion), legs).await
                }
                Proof::Federated(path) => self.federated(path, legs).await,
            }
        })
    }

    fn name(&self) -> &'static str {
        match self.proof {
            Proof::Secret(_) => "client_credentials",
            Proof::Certificate(_) => "client_certificate",
            Proof::Federated(_) => "workload_identity",
        }
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}

fn asserted(assertion: &Secret<String>) -> Params {
    Params::default().with("client_assertion_type", JWT_BEARER).with_secret("client_assertion", assertion)
}

fn is_refusal_of_the_assertion(error: &SourceError) -> bool {
    let codes = [OAuthCode::InvalidClient, OAuthCode::InvalidGrant];
    matches!(&error.kind, SourceErrorKind::OAuth { code, .. } if codes.contains(code))
}

fn unread(fault: MaterialFault) -> SourceError {
    SourceError::new("federated token", Some(Origin::local()), fault)
}
