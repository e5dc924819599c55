//! One exchange with a token endpoint: the call, its answer or its error.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::Method;
use url::Url;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::json::{Json, Object};
use super::{
    BodyFormat, Description, Leg, Legs, MaterialFault, OAuthCode, Origin, Outward, Params, SourceError,
    SourceErrorKind, answer,
};
use crate::base::{Now, Secret, UnixTime};
use crate::outbound::{OutboundError, Reach, Request, Response};

/// No answer of a token endpoint is larger.
const LIMIT: usize = 256 << 10;

/// A call.
#[derive(Debug)]
pub(super) struct TokenCall<'a> {
    leg: &'static str,
    url: &'a Url,
    reach: Reach,
    headers: Vec<(Cow<'static, str>, Secret<String>)>,
    hidden: Vec<Secret<String>>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Get,
    Put,
    Post(Params, BodyFormat),
}

/// An answer with status 200.
#[derive(Debug)]
pub(super) struct Answer {
    /// When the call was sent. Lives count from here: the other side began to count later.
    pub(super) began: Now,
    response: Response,
}

impl<'a> TokenCall<'a> {
    /// A POST of `params`. `leg` is what the exchange is called in records.
    pub(super) fn post(leg: &'static str, url: &'a Url, params: Params, format: BodyFormat) -> Self {
        Self::new(leg, url, Body::Post(params, format))
    }

    /// A GET.
    pub(super) fn get(leg: &'static str, url: &'a Url) -> Self {
        Self::new(leg, url, Body::Get)
    }

    /// A PUT of nothing, as AWS's metadata service wants it.
    pub(super) fn put(leg: &'static str, url: &'a Url) -> Self {
        Self::new(leg, url, Body::Put)
    }

    /// The same at the machine's metadata service, and nowhere else. Only for sources whose token is the machine's identity.
    pub(super) fn at_metadata(mut self) -> Self {
        self.reach = Reach::Metadata;
        self
    }

    /// The same with a header line more.
    pub(super) fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: Secret<String>) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// The same; no error about it will show `secret`, which stands in it in another form.
    pub(super) fn hiding(mut self, secret: &Secret<String>) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    fn new(leg: &'static str, url: &'a Url, body: Body) -> Self {
        Self { leg, url, reach: Reach::World, headers: Vec::new(), hidden: Vec::new(), body }
    }

    /// What of it nobody may see, wherever it comes back, also as it stands in a form.
    fn secrets(&self) -> Vec<Zeroizing<String>> {
        let params = match &self.body {
            Body::Post(params, _) => Some(params.secrets()),
            Body::Get | Body::Put => None,
        };
        // What is shorter says how a request is meant (`Metadata: true`). A scheme before the secret is none.
        let headers = self.headers.iter().map(|(_, value)| value.expose().as_str());
        let headers = headers.filter(|value| value.len() >= 16).flat_map(|value| value.rsplit(' ').take(1));
        let hidden = self.hidden.iter().map(|secret| secret.expose().as_str());
        let plain = params.into_iter().flatten().chain(headers).chain(hidden);
        let both = |secret: &str| [secret.to_owned(), byte_serialize(secret.as_bytes()).collect()];
        plain.flat_map(both).map(Zeroizing::new).collect()
    }

    fn request(&self) -> Request<'a> {
        let (method, body) = match &self.body {
            Body::Get => (Method::GET, None),
            Body::Put => (Method::PUT, None),
            Body::Post(params, format) => (Method::POST, Some(params.write(*format))),
        };
        let mut headers = self.headers.clone();
        headers.push(("accept".into(), Secret::new("application/json".to_owned())));
        Request { method, url: self.url, reach: self.reach, headers, body, limit: LIMIT }
    }
}

impl Outward {
    /// Makes the call; `legs` is told of it.
    ///
    /// # Errors
    /// [`SourceError`]: everything but an answer with status 200.
    pub(super) async fn call(&self, call: TokenCall<'_>, legs: &mut Legs) -> Result<Answer, SourceError> {
        let (leg, to) = (call.leg, Origin::of(call.url));
        let began = self.clock.now();
        let sent = self.http.send(call.request()).await;
        let now = self.clock.now();
        let result = match sent {
            Ok(response) if response.status == 200 => Ok(Answer { began, response }),
            Ok(response) => Err(refusal(&response, &call, now.unix)),
            Err(error) => Err(self.unreached(error)),
        };
        let took = now.instant.saturating_duration_since(began.instant);
        legs.push(Leg { name: leg, hop: None, to: to.clone(), took, lives: None, succeeded: result.is_ok() });
        result.map_err(|kind| SourceError::new(leg, Some(to), kind))
    }

    /// Makes the call and reads the token of its answer. `asked` is what it is good for where the answer does not say.
    ///
    /// # Errors
    /// [`SourceError`]: there is no token that could be used.
    pub(super) async fn token(
        &self,
        call: TokenCall<'_>,
        asked: &[String],
        legs: &mut Legs,
    ) -> Result<super::Token, SourceError> {
        let (leg, to) = (call.leg, Origin::of(call.url));
        let answer = self.call(call, legs).await?;
        match answer::token(&answer, asked) {
            Ok(token) => {
                legs.brought(token.left(answer.began));
                Ok(token)
            }
            Err(kind) => {
                legs.failed();
                Err(SourceError::new(leg, Some(to), kind))
            }
        }
    }

    pub(super) fn unreached(&self, error: OutboundError) -> SourceErrorKind {
        let path = match error {
            OutboundError::TlsFile(file) => self.http.tls().and_then(|tls| tls.path(file)),
            _ => None,
        };
        match path {
            Some(path) => MaterialFault::Tls { path: path.display().to_string() }.into(),
            None => error.into(),
        }
    }
}

impl Answer {
    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        self.response.body.expose()
    }

    /// A header line; see [`Response::header`].
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    #[cfg(test)]
    pub(super) fn of(began: Now, body: &str) -> Self {
        Self { began, response: Response::of(200, body) }
    }
}

/// What a status other than 200 says: RFC 6749 section 5.2, the object of Google and Anthropic, or the bare status.
fn refusal(response: &Response, call: &TokenCall<'_>, now: UnixTime) -> SourceErrorKind {
    let status = response.status;
    let retry_after = response.header("retry-after").and_then(|value| wait(value, now));
    let body = Object::parse(response.body.expose());
    let (code, text) = match body.as_ref().and_then(|body| Some((body, body.member("error")?))) {
        Some((body, Json::Text(code))) => {
            (OAuthCode::parse(code.expose()), body.plain("error_description").unwrap_or_default())
        }
        Some((_, Json::Object(error))) => {
            let code = ["status", "code", "type"]
                .into_iter()
                .filter_map(|name| error.plain(name).map(OAuthCode::parse))
                .find(|code| *code != OAuthCode::Other)
                .unwrap_or(OAuthCode::Other);
            (code, error.plain("message").unwrap_or_default())
        }
        _ => return SourceErrorKind::Status { status, retry_after },
    };
    let secrets = call.secrets();
    let description = Description::new(text, secrets.iter().map(|secret| secret.as_str()));
    SourceErrorKind::OAuth { code, status, description, retry_after }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds or a date. Nonsense is none.
pub(super) fn wait(value: &str, now: UnixTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(UnixTime(date.as_secs()).since(now))
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
