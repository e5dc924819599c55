//! Tokens of any server of RFC 6749: client credentials, refresh token, token exchange (RFC 8693), JWT bearer (RFC 7523).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::client_auth::{Client, Need};
use super::refresh_tokens::{Chain, Turn};
use super::token_endpoint::Endpoint;
use super::{
    AnswerFault, Legs, Material, Minting, OAuthGrant, OAuthSettings, Origin, Outward, Params, SecretFault,
    SourceError, SourceErrorKind, Token, TokenCall, TokenSettings, TokenSource, answer, token_file,
};
use crate::base::Secret;
use crate::cache::Failure as _;

/// A source of such tokens.
#[derive(Debug)]
pub(super) struct OAuth {
    settings: OAuthSettings,
    client: Client,
    endpoint: Endpoint,
    /// Where the secret has a refresh token.
    chain: Option<Arc<Chain>>,
    outward: Outward,
    /// It was said that the server grants less than is asked for.
    narrower: AtomicBool,
}

impl OAuth {
    /// The source of `settings`, which are those of `of`.
    pub(super) fn new(
        settings: &OAuthSettings,
        of: &TokenSettings,
        material: &Material,
        outward: Outward,
    ) -> Result<Arc<Self>, SecretFault> {
        let need = match settings.grant {
            OAuthGrant::ClientCredentials => Need::Client,
            OAuthGrant::TokenExchange { .. } | OAuthGrant::JwtBearer { .. } => Need::Nothing,
        };
        let chain = match (&settings.grant, material.find("refresh_token")) {
            (OAuthGrant::ClientCredentials, Some(seed)) => {
                Some(outward.refresh_tokens.chain(material.name(), seed))
            }
            _ => None,
        };
        Ok(Arc::new(Self {
            client: Client::new(settings.client_auth, need, material, &of.tls)?,
            endpoint: Endpoint::new(settings.endpoint.clone()),
            settings: settings.clone(),
            chain,
            outward,
            narrower: AtomicBool::new(false),
        }))
    }

    async fn exchange(self: &Arc<Self>, legs: &mut Legs) -> Result<Token, SourceError> {
        let result = match &self.chain {
            Some(chain) => self.refresh(chain, legs).await,
            None => self.grant(legs).await,
        };
        match &result {
            Err(SourceError {
                kind: SourceErrorKind::Outbound(_) | SourceErrorKind::Status { .. }, ..
            }) => {
                self.endpoint.doubt();
            }
            Err(_) => {}
            Ok(token) => self.tell_if_narrower(token),
        }
        result
    }

    async fn grant(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let files = self.settings.grant.files();
        let presented = token_file::read_all(&files).await?;
        self.present_or_again(&files, presented, legs).await
    }

    async fn present_or_again(
        &self,
        files: &[&Path],
        presented: Vec<Secret<String>>,
        legs: &mut Legs,
    ) -> Result<Token, SourceError> {
        match self.present(&presented, legs).await {
            // The file may have been replaced just as its token ended.
            Err(error) if !files.is_empty() && error.is_refusal() => {
                match token_file::read_all(files).await {
                    Ok(again) if again != presented => self.present(&again, legs).await,
                    _ => Err(error),
                }
            }
            result => result,
        }
    }

    async fn present(&self, presented: &[Secret<String>], legs: &mut Legs) -> Result<Token, SourceError> {
        let params = self.settings.grant.params(presented);
        let (answer, error) = self.ask(params, legs).await?;
        self.judged(answer::token(&answer, &self.settings.scopes), error, legs)
    }

    async fn refresh(self: &Arc<Self>, chain: &Arc<Chain>, legs: &mut Legs) -> Result<Token, SourceError> {
        // One at a time, whoever else has the same secret: a refresh token that is used twice is taken for stolen.
        let turn = chain.turn().await;
        let this = Arc::clone(self);
        // On its own to its end, also where who waits for it gives up, which may be as soon as it was sent: with an answer
        // that nobody reads the next refresh token would be lost, and the old one is used up.
        let used = tokio::spawn(async move {
            let mut legs = Legs::default();
            (this.use_up(&turn, &mut legs).await, legs)
        });
        let (result, more) = used.await.map_err(|_panicked| SourceError::broken())?;
        legs.append(more);
        result
    }

    async fn use_up(&self, turn: &Turn, legs: &mut Legs) -> Result<Token, SourceError> {
        let params = Params::default()
            .with("grant_type", "refresh_token")
            .with_secret("refresh_token", &turn.current());
        let (answer, error) = self.ask(params, legs).await?;
        // Kept before the rest is judged: the old one is used up, whatever else is wrong.
        let body = answer::object(&answer).map_err(SourceErrorKind::from);
        if let Ok(body) = &body
            && let Some(next) = body.text("refresh_token")
        {
            turn.replace(next);
        }
        turn.store(&self.outward.refresh_tokens).await;
        let token = body.and_then(|body| answer::read(&body, answer.began, &self.settings.scopes));
        self.judged(token, error, legs)
    }

    /// Sends `params` and what every grant adds. Beside the answer goes what an error about it is made of.
    async fn ask(
        &self,
        params: Params,
        legs: &mut Legs,
    ) -> Result<(super::Answer, impl Fn(SourceErrorKind) -> SourceError + use<>), SourceError> {
        const LEG: &str = "token endpoint";
        let url = self.endpoint.url(&self.outward, legs).await?;
        let to = Origin::of(&url);
        let error = move |kind| SourceError::new(LEG, Some(to.clone()), kind);
        let params = self.common(params);
        let (params, header) =
            self.client.show(params, &url, self.outward.clock.now().unix).map_err(&error)?;
        let mut call = TokenCall::post(LEG, &url, params, self.settings.body);
        if let Some(header) = header {
            call = call.with_header("authorization", header);
        }
        if let Some(secret) = self.client.secret() {
            call = call.hiding(secret);
        }
        Ok((self.outward.call(call, legs).await?, error))
    }

    fn common(&self, mut params: Params) -> Params {
        let settings = &self.settings;
        if !settings.scopes.is_empty() {
            params = params.with("scope", &settings.scopes.join(" "));
        }
        if let Some(audience) = &settings.audience {
            params = params.with("audience", audience);
        }
        params = match settings.resource.as_slice() {
            [] => params,
            [one] => params.with("resource", one),
            several => params.with_list("resource", several.iter().map(String::as_str)),
        };
        for (name, value) in &settings.extra {
            params = params.with(name.clone(), value);
        }
        params
    }

    fn judged(
        &self,
        token: Result<Token, SourceErrorKind>,
        error: impl Fn(SourceErrorKind) -> SourceError,
        legs: &mut Legs,
    ) -> Result<Token, SourceError> {
        let token = token.and_then(|token| match (self.endpoint.issuer(), answer::issuer(&token)) {
            (Some(issuer), Some(named)) if !is_of(issuer, &named) => Err(AnswerFault::Issuer.into()),
            _ => Ok(token),
        });
        match token {
            Ok(token) => {
                legs.brought(token.left(self.outward.clock.now()));
                Ok(token)
            }
            Err(kind) => {
                legs.failed();
                Err(error(kind))
            }
        }
    }

    fn tell_if_narrower(&self, token: &Token) {
        let missing = self.settings.scopes.iter().filter(|asked| !token.scopes.contains(asked));
        let missing: Vec<_> = missing.map(String::as_str).collect();
        if !missing.is_empty() && !self.narrower.swap(true, Ordering::Relaxed) {
            let missing = missing.join(" ");
            tracing::warn!(at = %self.endpoint.origin(), missing, "the token is good for less than was asked for");
        }
    }
}

impl TokenSource for Arc<OAuth> {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(self.exchange(legs))
    }

    fn name(&self) -> &'static str {
        match (&self.settings.grant, &self.chain) {
            (OAuthGrant::ClientCredentials, None) => "client_credentials",
            (OAuthGrant::ClientCredentials, Some(_)) => "refresh_token",
            (OAuthGrant::TokenExchange { .. }, _) => "token_exchange",
            (OAuthGrant::JwtBearer { .. }, _) => "jwt_bearer",
        }
    }

    fn origin(&self) -> Origin {
        self.endpoint.origin()
    }
}

impl OAuthGrant {
    fn files(&self) -> Vec<&Path> {
        match self {
            Self::ClientCredentials => Vec::new(),
            Self::TokenExchange { subject, actor } => {
                [Some(subject), actor.as_ref()].into_iter().flatten().map(|file| &*file.path).collect()
            }
            Self::JwtBearer { assertion } => vec![&assertion.path],
        }
    }

    /// The grant's own parameters; `presented` is what [`Self::files`] hold.
    fn params(&self, presented: &[Secret<String>]) -> Params {
        let mut presented = presented.iter();
        let token = |params: Params, name, value: Option<&Secret<String>>| match value {
            Some(value) => params.with_secret(name, value),
            None => params,
        };
        match self {
            Self::ClientCredentials => Params::default().with("grant_type", "client_credentials"),
            Self::TokenExchange { subject, actor } => {
                let params = Params::default()
                    .with("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
                    .with("subject_token_type", &subject.kind);
                let params = token(params, "subject_token", presented.next());
                match actor {
                    Some(actor) => {
                        let params = params.with("actor_token_type", &actor.kind);
                        token(params, "actor_token", presented.next())
                    }
                    None => params,
                }
            }
            Self::JwtBearer { .. } => {
                let params =
                    Params::default().with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                token(params, "assertion", presented.next())
            }
        }
    }
}

/// Whether a token that names `named` was issued by `issuer`. Entra's tokens for its own older services name the tenant by
/// another host (Microsoft: "Access tokens in the Microsoft identity platform", `iss`).
fn is_of(issuer: &str, named: &str) -> bool {
    let tenant = issuer.strip_prefix("https://login.microsoftonline.com/");
    let tenant = tenant.map(|rest| rest.strip_suffix("/v2.0").unwrap_or(rest).trim_end_matches('/'));
    named == issuer || tenant.is_some_and(|tenant| named == format!("https://sts.windows.net/{tenant}/"))
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
