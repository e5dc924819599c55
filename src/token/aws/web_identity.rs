//! A role for the token that somebody else keeps fresh in a file: IRSA, SPIRE, any OpenID Connect issuer that IAM trusts
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).

use std::sync::Arc;

use super::identity::WebIdentityRole;
use super::sts::{Sts, StsCall, form};
use super::{HOUR, WEB_IDENTITY};
use crate::base::Secret;
use crate::token::{
    Legs, MaterialFault, Minting, Origin, Outward, SourceError, Token, TokenSource, token_file,
};

const ACTION: &str = "AssumeRoleWithWebIdentity";

/// The bounds of a token, in bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 20_000;

/// The source.
#[derive(Debug)]
pub(super) struct WebIdentitySource {
    role: WebIdentityRole,
    hop: Arc<str>,
    sts: Arc<Sts>,
    region: Option<String>,
    outward: Outward,
}

impl WebIdentitySource {
    pub(super) fn new(
        role: WebIdentityRole,
        sts: &Arc<Sts>,
        region: Option<String>,
        outward: &Outward,
    ) -> Self {
        let hop = Arc::from(role.role_arn.as_str());
        Self { role, hop, sts: Arc::clone(sts), region, outward: outward.clone() }
    }

    async fn exchange(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let presented = self.read().await?;
        match self.present(&presented, legs).await {
            // The file may have been replaced just as its token ended.
            Err(error) if error.is_refusal() => match self.read().await {
                Ok(again) if again != presented => self.present(&again, legs).await,
                _ => Err(error),
            },
            result => result,
        }
    }

    async fn present(&self, token: &Secret<String>, legs: &mut Legs) -> Result<Token, SourceError> {
        let params = form(ACTION)
            .with("RoleArn", &self.role.role_arn)
            .with("RoleSessionName", &self.role.session_name)
            .with("DurationSeconds", &HOUR.as_secs().to_string())
            .with_secret("WebIdentityToken", token);
        let call = StsCall {
            sts: &self.sts,
            leg: WEB_IDENTITY,
            hop: Some(&self.hop),
            action: ACTION,
            params,
            keys: None,
            lasts: HOUR,
            region: self.region.as_deref(),
        };
        call.send(&self.outward, legs).await
    }

    /// Read again each time: it is another one every few minutes.
    async fn read(&self) -> Result<Secret<String>, SourceError> {
        let path = &self.role.token_file;
        let unfit = || MaterialFault::WebIdentity { path: path.display().to_string() };
        let read = token_file::read_within(path, LONGEST).await.map_err(|fault| match fault {
            MaterialFault::NotToken { .. } => unfit(),
            other => other,
        });
        let fit = read.and_then(|token| {
            let text = token.expose();
            let fit = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
            if fit { Ok(token) } else { Err(unfit()) }
        });
        fit.map_err(|fault| SourceError::new(WEB_IDENTITY, None, fault).on(Some(&self.hop)))
    }
}

impl TokenSource for WebIdentitySource {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(self.exchange(legs))
    }

    fn name(&self) -> &'static str {
        "web_identity"
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.sts.url)
    }

    fn role(&self) -> Option<&str> {
        Some(&self.role.role_arn)
    }
}
