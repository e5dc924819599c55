//! A role that is assumed with the keys of the hop before it
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).

use std::sync::Arc;
use std::time::Duration;

use super::chain::{Hop, HopKeys};
use super::session_name::session_name;
use super::sts::{Sts, StsCall, form};
use super::{ASSUME_ROLE, HOUR};
use crate::token::{
    AwsSettings, Legs, Minting, Origin, Outward, Params, Role, SourceError, SourceErrorKind, Token,
    TokenSource,
};

const ACTION: &str = "AssumeRole";

/// What all hops of a chain share.
#[derive(Clone, Debug)]
pub(super) struct Hops<'a> {
    pub(super) settings: &'a AwsSettings,
    pub(super) sts: &'a Arc<Sts>,
    pub(super) region: Option<String>,
    pub(super) outward: &'a Outward,
}

/// The source.
#[derive(Debug)]
pub(super) struct AssumeRole {
    before: Hop,
    role: Role,
    session_name: String,
    /// Its number in the chain and its ARN, for people.
    hop: Arc<str>,
    sts: Arc<Sts>,
    region: Option<String>,
    outward: Outward,
}

impl AssumeRole {
    /// The hop `number`, counted from one.
    pub(super) fn new(before: Hop, number: usize, role: Role, hops: &Hops<'_>) -> Self {
        let session_name = role.session_name.clone().unwrap_or_else(|| session_name(&hops.settings.name));
        Self {
            before,
            session_name,
            hop: format!("hop {number}, {}", role.arn).into(),
            role,
            sts: Arc::clone(hops.sts),
            region: hops.region.clone(),
            outward: hops.outward.clone(),
        }
    }

    async fn exchange(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let before = self.before.keys(&self.outward, legs).await?;
        match self.assume(&before, legs).await {
            // What is kept of the hop before was revoked: another one is worth a try, once.
            Err(error) if is_about_keys(&error) && self.before.reject(before.id) => {
                match self.before.keys(&self.outward, legs).await {
                    Ok(again) if again.id != before.id => self.assume(&again, legs).await,
                    _ => Err(error),
                }
            }
            result => result,
        }
    }

    async fn assume(&self, before: &HopKeys, legs: &mut Legs) -> Result<Token, SourceError> {
        let call = StsCall {
            sts: &self.sts,
            leg: ASSUME_ROLE,
            hop: Some(&self.hop),
            action: ACTION,
            params: self.params(),
            keys: Some(&before.keys),
            lasts: self.lasts(),
            region: self.region.as_deref(),
        };
        call.send(&self.outward, legs).await
    }

    fn params(&self) -> Params {
        let Role { arn, external_id, tags, transitive_tags, source_identity, .. } = &self.role;
        let mut params = form(ACTION)
            .with("RoleArn", arn)
            .with("RoleSessionName", &self.session_name)
            .with("DurationSeconds", &self.lasts().as_secs().to_string());
        if let Some(external_id) = external_id {
            params = params.with("ExternalId", external_id);
        }
        for (at, (key, value)) in tags.iter().enumerate() {
            let at = at + 1;
            params = params
                .with(format!("Tags.member.{at}.Key"), key)
                .with(format!("Tags.member.{at}.Value"), value);
        }
        for (at, key) in transitive_tags.iter().enumerate() {
            params = params.with(format!("TransitiveTagKeys.member.{}", at + 1), key);
        }
        match source_identity {
            Some(identity) => params.with("SourceIdentity", identity),
            None => params,
        }
    }

    fn lasts(&self) -> Duration {
        self.role.duration.unwrap_or(HOUR)
    }
}

fn is_about_keys(error: &SourceError) -> bool {
    matches!(error.kind, SourceErrorKind::Sts { code, .. } if code.is_about_keys())
}

impl TokenSource for AssumeRole {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(self.exchange(legs))
    }

    fn name(&self) -> &'static str {
        "assume_role"
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.sts.url)
    }

    fn role(&self) -> Option<&str> {
        Some(&self.role.arn)
    }
}
