//! What STS says when it refuses: its code, and nothing else of the answer.

use super::sts_answer;
use crate::base::UnixTime;
use crate::outbound::Response;
use crate::provider::AwsErrorCode;
use crate::token::SourceErrorKind;
use crate::token::endpoint::wait;

/// What a status other than 200 says.
pub(super) fn refusal(response: &Response, now: UnixTime) -> SourceErrorKind {
    let status = response.status;
    let retry_after = response.header("retry-after").and_then(|value| wait(value, now));
    match sts_answer::code(response.body.expose()) {
        Some(code) => SourceErrorKind::Sts { code: AwsErrorCode::parse(&code), status, retry_after },
        None => SourceErrorKind::Status { status, retry_after },
    }
}
