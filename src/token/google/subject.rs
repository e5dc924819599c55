//! The subject token: what another issuer says of this workload, obtained anew for every exchange.

use super::aws_metadata::Machine;
use super::aws_request;
use super::subject_source::{Format, SubjectSource, is_azure_metadata};
use super::{AWS, SUBJECT, call_failed};
use crate::base::Secret;
use crate::token::json::Object;
use crate::token::{
    AnswerFault, AwsEnvironment, Legs, MaterialFault, Origin, Outward, SourceError, TokenCall, token_file,
};

/// No subject token is longer.
const LIMIT: usize = 16 << 10;

/// Obtains the subject token of `source` for `audience`.
///
/// # Errors
/// [`SourceError`] of the leg that failed.
pub(super) async fn subject_token(
    source: &SubjectSource,
    audience: &str,
    environment: &AwsEnvironment,
    outward: &Outward,
    legs: &mut Legs,
) -> Result<Secret<String>, SourceError> {
    match source {
        SubjectSource::File { path, format } => {
            let failed = |fault| SourceError::new(SUBJECT, Some(Origin::local()), fault);
            let text = token_file::read(path).await.map_err(failed)?;
            let no_field = || failed(MaterialFault::NoField { path: path.display().to_string() });
            format.take(text.expose().as_bytes()).ok_or_else(no_field)
        }
        SubjectSource::Url { url, headers, format } => {
            let mut call = TokenCall::get(SUBJECT, url);
            if is_azure_metadata(url) {
                call = call.at_metadata();
            }
            for (name, value) in headers {
                // However short it is: what a file puts into a header may be a key.
                call = call.hiding(value).with_header(name.clone(), value.clone());
            }
            let answer = outward.call(call, legs).await?;
            let subject = format.take(answer.body());
            subject.ok_or_else(|| call_failed(SUBJECT, url, AnswerFault::NoSubject.into(), legs))
        }
        SubjectSource::Aws(source) => {
            let mut machine = Machine::new(source, environment, outward);
            let region = machine.region(legs).await?;
            let unfit = || SourceError::new(AWS, None, MaterialFault::NoAws);
            let url = source.verification(&region).map_err(|_| unfit())?;
            let keys = machine.keys(legs).await?;
            let now = outward.clock.now().unix;
            aws_request::subject_token(&keys, &url, &region, audience, now).ok_or_else(unfit)
        }
    }
}

impl Format {
    fn take(&self, document: &[u8]) -> Option<Secret<String>> {
        let text = match self {
            Self::Text => Secret::new(std::str::from_utf8(document).ok()?.trim().to_owned()),
            Self::Json { field } => Object::parse(document)?.text(field)?.clone(),
        };
        let token = text.expose();
        let fit =
            !token.is_empty() && token.len() <= LIMIT && !token.bytes().any(|byte| byte.is_ascii_control());
        fit.then_some(text)
    }
}
