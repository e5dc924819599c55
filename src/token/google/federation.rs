//! Workload identity federation: the subject token against one of Google's (RFC 8693), and that against a service account's
//! (<https://cloud.google.com/iam/docs/reference/sts/rest>, <https://cloud.google.com/iam/docs/reference/credentials/rest>).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::external_account::{ExternalAccount, Impersonation};
use super::subject::subject_token;
use super::{IMPERSONATION, STS, call_failed};
use crate::base::{Expiry, Now, Secret};
use crate::cache::Failure as _;
use crate::token::json::Object;
use crate::token::{
    Answer, AnswerFault, AwsEnvironment, BodyFormat, GoogleSettings, Legs, Minting, Origin, Outward, Params,
    SourceError, SourceErrorKind, Token, TokenCall, TokenSource, TokenValue, answer, expires_at,
};

/// What impersonation needs of the federated token.
const IMPERSONATING: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A federated token is used again while more than this is left of it, or half of its life where that is less.
const LEFT: Duration = Duration::from_secs(60);

/// A workload identity of another issuer.
#[derive(Debug)]
pub(super) struct Federation {
    account: ExternalAccount,
    scopes: Vec<String>,
    environment: AwsEnvironment,
    outward: Outward,
    /// The federated token while a service account is impersonated with it. Without one, it is the cache that holds it.
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    value: Secret<String>,
    expiry: Expiry,
    /// So much must be left.
    least: Duration,
}

impl Federation {
    pub(super) fn new(account: ExternalAccount, settings: &GoogleSettings, outward: &Outward) -> Self {
        let (scopes, environment) = (settings.scopes.clone(), settings.aws.clone());
        Self { account, scopes, environment, outward: outward.clone(), kept: Mutex::default() }
    }

    async fn exchange(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let account = &self.account;
        let subject =
            subject_token(&account.source, &account.audience, &self.environment, &self.outward, legs).await?;
        let asked = match account.impersonation {
            Some(_) => &[IMPERSONATING.to_owned()][..],
            None => &self.scopes,
        };
        let params = Params::default()
            .with("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .with("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .with("audience", &account.audience)
            .with("scope", &asked.join(" "))
            .with("subject_token_type", &account.subject_token_type)
            .with_secret("subject_token", &subject);
        let call = TokenCall::post(STS, &account.token_url, params, BodyFormat::Form);
        self.outward.token(call, asked, legs).await
    }

    async fn impersonate(
        &self,
        impersonation: &Impersonation,
        federated: &Secret<String>,
        legs: &mut Legs,
    ) -> Result<Token, SourceError> {
        let Impersonation { url, lifetime } = impersonation;
        let params = Params::default()
            .with_list("scope", self.scopes.iter().map(String::as_str))
            .with("lifetime", &format!("{}s", lifetime.as_secs()));
        let bearer = Secret::new(format!("Bearer {}", federated.expose()));
        let call = TokenCall::post(IMPERSONATION, url, params, BodyFormat::Json)
            .hiding(federated)
            .with_header("authorization", bearer);
        let answer = self.outward.call(call, legs).await?;
        let token = self
            .impersonated(&answer, *lifetime)
            .map_err(|kind| call_failed(IMPERSONATION, url, kind, legs))?;
        legs.brought(token.left(answer.began));
        Ok(token)
    }

    /// The end is a date of their clock: where ours is behind, what was asked for is the most.
    fn impersonated(&self, answer: &Answer, lifetime: Duration) -> Result<Token, SourceErrorKind> {
        let body = Object::parse(answer.body()).ok_or(AnswerFault::NotJson)?;
        let value = body.text("accessToken").ok_or(AnswerFault::NoToken)?;
        answer::check_text(value)?;
        let end = body.plain("expireTime").and_then(expires_at::parse).ok_or(AnswerFault::Life)?;
        let expiry = Expiry::at(answer.began, end).earlier(Expiry::after(answer.began, lifetime));
        if expiry.is_over(answer.began) {
            return Err(AnswerFault::Over.into());
        }
        Ok(Token {
            value: TokenValue::Bearer(value.clone()),
            expiry: Some(expiry),
            refresh_in: None,
            scopes: self.scopes.clone(),
        })
    }

    fn kept(&self, now: Now) -> Option<Secret<String>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| kept.expiry.left(now) > kept.least).map(|kept| kept.value.clone())
    }

    fn keep(&self, federated: Option<(&Token, Now)>) {
        let kept = federated.and_then(|(token, now)| {
            let (value, expiry) = (token.bearer()?.clone(), token.expiry?);
            Some(Kept { value, expiry, least: LEFT.min(token.left(now) / 2) })
        });
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

/// What an exchange brings is a bearer token.
fn federated_bearer(token: &Token) -> Result<&Secret<String>, SourceError> {
    token.bearer().ok_or_else(SourceError::broken)
}

impl TokenSource for Federation {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            let Some(impersonation) = &self.account.impersonation else {
                return self.exchange(legs).await;
            };
            if let Some(federated) = self.kept(self.outward.clock.now()) {
                let token = self.impersonate(impersonation, &federated, legs).await;
                // It may have been revoked meanwhile: another one is worth a try.
                if !token.as_ref().is_err_and(is_unauthorized) {
                    return token;
                }
                self.keep(None);
            }
            let federated = self.exchange(legs).await?;
            let token = self.impersonate(impersonation, federated_bearer(&federated)?, legs).await;
            if !token.as_ref().is_err_and(is_unauthorized) {
                self.keep(Some((&federated, self.outward.clock.now())));
            }
            token
        })
    }

    fn name(&self) -> &'static str {
        "workload_identity_federation"
    }

    fn origin(&self) -> Origin {
        Origin::of(self.account.impersonation.as_ref().map_or(&self.account.token_url, |leg| &leg.url))
    }
}

fn is_unauthorized(error: &SourceError) -> bool {
    error.status() == Some(401)
}
