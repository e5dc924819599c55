//! Workload identity federation at OpenAI and Anthropic: a workload's own token for the vendor's, in the vendor's dialect.

use std::path::PathBuf;

use url::Url;

use super::{
    AnthropicFederation, BodyFormat, Legs, Minting, OpenAiFederation, Origin, Outward, Params, SourceError,
    Token, TokenCall, TokenSource, token_file,
};
use crate::base::Secret;

/// A source of such tokens.
#[derive(Debug)]
pub(super) struct Federation {
    outward: Outward,
    name: &'static str,
    endpoint: Url,
    file: PathBuf,
    /// What the workload's token is called.
    token: &'static str,
    fixed: Vec<(&'static str, String)>,
    beta: Option<&'static str>,
}

impl Federation {
    /// RFC 8693 in JSON, without client authentication and without a scope, which would grant nothing.
    pub(super) fn openai(settings: &OpenAiFederation, outward: Outward) -> Self {
        let text = str::to_owned;
        let fixed = vec![
            ("grant_type", text("urn:ietf:params:oauth:grant-type:token-exchange")),
            ("subject_token_type", settings.subject.kind.clone()),
            ("identity_provider_id", settings.identity_provider_id.clone()),
            ("service_account_id", settings.service_account_id.clone()),
        ];
        Self {
            outward,
            name: "openai_federation",
            endpoint: settings.endpoint.clone(),
            file: settings.subject.path.clone(),
            token: "subject_token",
            fixed,
            beta: None,
        }
    }

    /// RFC 7523 in JSON.
    pub(super) fn anthropic(settings: &AnthropicFederation, outward: Outward) -> Self {
        let mut fixed = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("federation_rule_id", settings.federation_rule_id.clone()),
            ("organization_id", settings.organization_id.clone()),
        ];
        let optional =
            [("service_account_id", &settings.service_account_id), ("workspace_id", &settings.workspace_id)];
        fixed.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        Self {
            outward,
            name: "anthropic_federation",
            endpoint: settings.endpoint.clone(),
            file: settings.assertion.path.clone(),
            token: "assertion",
            fixed,
            beta: Some("oauth-2025-04-20,oidc-federation-2026-04-01"),
        }
    }

    async fn exchange(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let file = [&*self.file];
        let presented = token_file::read_all(&file).await?;
        match self.present(&presented, legs).await {
            // The file may have been replaced just as its token ended.
            Err(error) if error.is_refusal() => match token_file::read_all(&file).await {
                Ok(again) if again != presented => self.present(&again, legs).await,
                _ => Err(error),
            },
            result => result,
        }
    }

    async fn present(&self, presented: &[Secret<String>], legs: &mut Legs) -> Result<Token, SourceError> {
        let params =
            self.fixed.iter().fold(Params::default(), |params, (name, value)| params.with(*name, value));
        let params = presented.iter().fold(params, |params, token| params.with_secret(self.token, token));
        let mut call = TokenCall::post("token endpoint", &self.endpoint, params, BodyFormat::Json);
        if let Some(beta) = self.beta {
            call = call.with_header("anthropic-beta", Secret::new(beta.to_owned()));
        }
        self.outward.token(call, &[], legs).await
    }
}

impl TokenSource for Federation {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(self.exchange(legs))
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.endpoint)
    }
}

#[cfg(test)]
#[path = "federation_tests.rs"]
mod tests;
