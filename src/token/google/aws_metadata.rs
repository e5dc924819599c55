//! Region and keys of a workload on AWS: of the environment, else of the machine's metadata by sessions (IMDSv2)
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>).

use url::Url;

use super::subject_source::AwsSource;
use super::{AWS, call_failed};
use crate::base::Secret;
use crate::credential::AwsKeys;
use crate::token::json::Object;
use crate::token::{
    Answer, AnswerFault, AwsEnvironment, Legs, MaterialFault, Outward, SourceError, TokenCall,
};

/// How long a session lives, in seconds: one exchange.
const SESSION: &str = "60";

/// Where the session begins when the file does not say: version 1 is never spoken.
const SESSION_PATH: &str = "/latest/api/token";

/// Asks what the environment does not say.
pub(super) struct Machine<'a> {
    pub(super) source: &'a AwsSource,
    pub(super) environment: &'a AwsEnvironment,
    pub(super) outward: &'a Outward,
    session: Option<Secret<String>>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(source: &'a AwsSource, environment: &'a AwsEnvironment, outward: &'a Outward) -> Self {
        Self { source, environment, outward, session: None }
    }

    /// The region that it is in.
    pub(super) async fn region(&mut self, legs: &mut Legs) -> Result<String, SourceError> {
        if let Some(region) = &self.environment.region {
            return Ok(region.clone());
        }
        let url = self.source.region_url.as_ref().ok_or_else(nowhere)?;
        let answer = self.ask(url, legs).await?;
        let zone = self.plain(&answer, url, legs)?;
        // A zone is its region and a letter.
        let region = zone.strip_suffix(|last: char| last.is_ascii_lowercase());
        region.map(str::to_owned).ok_or_else(|| call_failed(AWS, url, AnswerFault::AwsMetadata.into(), legs))
    }

    /// The keys of its role.
    pub(super) async fn keys(&mut self, legs: &mut Legs) -> Result<AwsKeys, SourceError> {
        if let Some(keys) = &self.environment.keys {
            return Ok(keys.clone());
        }
        let url = self.source.credentials_url.as_ref().ok_or_else(nowhere)?;
        let answer = self.ask(url, legs).await?;
        let role = self.plain(&answer, url, legs)?;
        let mut of_role = url.clone();
        if let Ok(mut path) = of_role.path_segments_mut() {
            path.pop_if_empty().push(&role);
        }
        let answer = self.ask(&of_role, legs).await?;
        keys(&answer).ok_or_else(|| call_failed(AWS, &of_role, AnswerFault::AwsMetadata.into(), legs))
    }

    async fn ask(&mut self, url: &Url, legs: &mut Legs) -> Result<Answer, SourceError> {
        let session = match &self.session {
            Some(session) => session.clone(),
            None => self.begin(url, legs).await?,
        };
        self.session = Some(session.clone());
        let call = TokenCall::get(AWS, url)
            .at_metadata()
            .hiding(&session)
            .with_header("x-aws-ec2-metadata-token", session);
        self.outward.call(call, legs).await
    }

    async fn begin(&self, url: &Url, legs: &mut Legs) -> Result<Secret<String>, SourceError> {
        let mut same_host = url.clone();
        same_host.set_path(SESSION_PATH);
        same_host.set_query(None);
        let url = self.source.session_url.as_ref().unwrap_or(&same_host);
        let call = TokenCall::put(AWS, url)
            .at_metadata()
            .with_header("x-aws-ec2-metadata-token-ttl-seconds", Secret::new(SESSION.to_owned()));
        let answer = self.outward.call(call, legs).await?;
        self.plain(&answer, url, legs).map(Secret::new)
    }

    /// One short word.
    fn plain(&self, answer: &Answer, url: &Url, legs: &mut Legs) -> Result<String, SourceError> {
        let text = answer.body().trim_ascii();
        let fit = !text.is_empty() && text.len() <= 1_024 && text.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(text) {
            Ok(text) if fit => Ok(text.to_owned()),
            _ => Err(call_failed(AWS, url, AnswerFault::AwsMetadata.into(), legs)),
        }
    }
}

fn keys(answer: &Answer) -> Option<AwsKeys> {
    let body = Object::parse(answer.body())?;
    let fit = |name: &str| body.text(name).filter(|text| is_fit(text.expose()));
    if body.plain("Code").is_some_and(|code| code != "Success") {
        return None;
    }
    Some(AwsKeys {
        access_key_id: fit("AccessKeyId")?.expose().clone(),
        secret_access_key: fit("SecretAccessKey")?.clone(),
        session_token: Some(fit("Token")?.clone()),
    })
}

fn is_fit(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn nowhere() -> SourceError {
    SourceError::new(AWS, None, MaterialFault::NoAws)
}
