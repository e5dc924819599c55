//! One exchange with STS: a form, signed or not, and XML.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use url::Url;

use super::refusal::refusal;
use super::sts_answer;
use super::sts_request::signature;
use crate::base::{Expiry, Now, Secret, SecretBytes, UnixTime};
use crate::credential::{AwsKeys, aws_host, default_host, is_valid_region, wrong_clock};
use crate::outbound::{Reach, Request, Response};
use crate::provider::AwsErrorCode;
use crate::token::{
    AnswerFault, AwsSettings, BodyFormat, Leg, Legs, MaterialFault, Origin, Outward, Params, SourceError,
    SourceErrorKind, Token, TokenValue,
};

/// No answer of STS is larger.
const LIMIT: usize = 64 << 10;

/// The version of the protocol.
const VERSION: &str = "2011-06-15";

/// An STS.
#[derive(Debug)]
pub(super) struct Sts {
    pub(super) url: Url,
    pub(super) region: String,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct StsCall<'a> {
    pub(super) sts: &'a Sts,
    pub(super) leg: &'static str,
    pub(super) hop: Option<&'a Arc<str>>,
    pub(super) action: &'static str,
    pub(super) params: Params,
    /// Who signs; nobody where the form has all that is needed.
    pub(super) keys: Option<&'a AwsKeys>,
    /// How long what it brings is asked to last.
    pub(super) lasts: Duration,
    /// The region that the secret names.
    pub(super) region: Option<&'a str>,
}

impl Sts {
    /// That of the entry: `sts_endpoint`, else the region's own, never the global one, which is in one region only. `secret`
    /// is the region that the secret names. None where nobody names one.
    pub(super) fn of(settings: &AwsSettings, secret: Option<&str>) -> Option<Self> {
        let own = settings.sts_endpoint.as_ref();
        let host = own.and_then(|url| aws_host(url.host_str()?));
        let region = settings
            .signing
            .region
            .as_deref()
            .or(secret)
            .or(host.as_ref().map(|host| &*host.region))
            .or(settings.signing.ambient_region.as_deref())
            .filter(|region| is_valid_region(region))?
            .to_owned();
        let url = match own {
            Some(url) => url.clone(),
            // <https://docs.aws.amazon.com/general/latest/gr/sts.html>
            None => Url::parse(&format!("https://{}/", default_host("sts", &region))).ok()?,
        };
        Some(Self { url, region })
    }
}

/// The parameters of every request.
pub(super) fn form(action: &str) -> Params {
    Params::default().with("Action", action).with("Version", VERSION)
}

impl StsCall<'_> {
    /// Makes it; `legs` is told of it. Signed once more where STS says that our clock is wrong, and shows its own.
    ///
    /// # Errors
    /// [`SourceError`] names the hop.
    pub(super) async fn send(self, outward: &Outward, legs: &mut Legs) -> Result<Token, SourceError> {
        let (kind, body) = self.params.write(BodyFormat::Form);
        let mut began = outward.clock.now();
        let mut result = self.exchange((kind, &body), began.unix, outward, legs).await;
        if let (Some(_), Ok(response)) = (self.keys, &result)
            && let Some(theirs) = their_time(response, began, outward.clock.now())
        {
            legs.failed();
            began = outward.clock.now();
            result = self.exchange((kind, &body), theirs, outward, legs).await;
        }
        let failed = |kind| SourceError::new(self.leg, Some(self.to()), kind).on(self.hop);
        let response = result.map_err(failed)?;
        let token = match response.status {
            200 => self.token(&response, began),
            _ => Err(refusal(&response, outward.clock.now().unix)),
        };
        match token {
            Ok(token) => {
                legs.brought(token.left(began));
                Ok(token)
            }
            Err(kind) => {
                legs.failed();
                Err(failed(kind))
            }
        }
    }

    async fn exchange(
        &self,
        (kind, body): (&'static str, &SecretBytes),
        at: UnixTime,
        outward: &Outward,
        legs: &mut Legs,
    ) -> Result<Response, SourceErrorKind> {
        let mut headers = match self.keys {
            None => Vec::new(),
            Some(keys) => signature(keys, &self.sts.url, &self.sts.region, (kind, body.expose()), at)
                .ok_or(MaterialFault::AwsKeys)?,
        };
        // Otherwise it may answer in JSON.
        headers.push(("accept".into(), Secret::new("application/xml, text/xml".to_owned())));
        let request = Request {
            method: Method::POST,
            url: &self.sts.url,
            reach: Reach::World,
            headers,
            body: Some((kind, body.clone())),
            limit: LIMIT,
        };
        let began = outward.clock.now();
        let sent = outward.http.send(request).await.map_err(|error| outward.unreached(error));
        let took = outward.clock.now().instant.saturating_duration_since(began.instant);
        let (to, succeeded) = (self.to(), sent.is_ok());
        legs.push(Leg { name: self.leg, hop: self.hop.cloned(), to, took, lives: None, succeeded });
        sent
    }

    /// The end is a date of their clock: where ours is behind, what was asked for is the most.
    fn token(&self, response: &Response, began: Now) -> Result<Token, SourceErrorKind> {
        let (keys, end) =
            sts_answer::credentials(response.body.expose(), self.action).ok_or(AnswerFault::Sts)?;
        let expiry = Expiry::at(began, end).earlier(Expiry::after(began, self.lasts));
        if expiry.is_over(began) {
            return Err(AnswerFault::Over.into());
        }
        let value = TokenValue::Keys { keys, region: self.region.map(str::to_owned) };
        Ok(Token { value, expiry: Some(expiry), refresh_in: None, scopes: Vec::new() })
    }

    fn to(&self) -> Origin {
        Origin::of(&self.sts.url)
    }
}

/// The time at the other side, where it refuses for a reason that ours may be, and ours is far from it.
fn their_time(response: &Response, sent: Now, received: Now) -> Option<UnixTime> {
    match refusal(response, received.unix) {
        SourceErrorKind::Sts { code, .. } if AwsErrorCode::is_about_time(code) => {}
        _ => return None,
    }
    let ahead = wrong_clock(response.header("date")?.as_bytes(), sent, received)?;
    Some(UnixTime(received.unix.0.saturating_add_signed(ahead)))
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
