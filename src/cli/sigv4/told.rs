//! What AWS tells besides the two texts: the clock, the scope, the keys, the policy.

use crate::base::{UnixTime, printable};

/// One thing that an answer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Signed too long ago, or in the future, by AWS's clock.
    Clock {
        /// `x-amz-date`.
        sent: String,
        /// AWS's own time.
        theirs: Option<String>,
        /// By how many seconds AWS is ahead; none where a time cannot be read.
        ahead: Option<i64>,
    },
    /// The scope has another region; the one that AWS names, where it does.
    Region(Option<String>),
    /// The scope has another service; the one that AWS wants.
    Service(Option<String>),
    /// The day in the scope is not that of the date.
    Day,
    /// Keys or session token have ended.
    Expired,
    /// AWS does not know the keys.
    Unknown,
    /// The signature was right, and the answer is a policy's.
    AccessDenied {
        /// `bedrock:InvokeModel`.
        action: Option<String>,
    },
    /// No signature arrived, or only parts of one.
    Incomplete,
}

/// All that is told.
pub(super) fn told(code: Option<&str>, message: &str) -> Vec<Told> {
    let is = |names: &[&str]| code.is_some_and(|code| names.contains(&code));
    let mut told = Vec::new();
    if let Some(clock) = clock(message) {
        told.push(clock);
    } else if is(&["RequestTimeTooSkewed", "RequestExpired"]) || message.starts_with("Signature expired") {
        told.push(Told::Clock { sent: String::new(), theirs: None, ahead: None });
    }
    if message.contains("Credential should be scoped to a valid region")
        || message.contains("Credential should be scoped to a valid Region")
        || is(&["AuthorizationHeaderMalformed"]) && message.contains("region")
    {
        told.push(Told::Region(quoted_after(message, "expecting ")));
    }
    if message.contains("Credential should be scoped to correct service") {
        told.push(Told::Service(quoted_after(message, "correct service: ")));
    }
    if message.contains("Date in Credential scope does not match") {
        told.push(Told::Day);
    }
    let lower = message.to_ascii_lowercase();
    if is(&["ExpiredToken", "ExpiredTokenException"])
        || lower.contains("security token included in the request is expired")
    {
        told.push(Told::Expired);
    }
    if is(&["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"])
        || lower.contains("security token included in the request is invalid")
    {
        told.push(Told::Unknown);
    }
    if lower.contains("is not authorized to perform") || is(&["AccessDeniedException", "AccessDenied"]) {
        let action = message.split("is not authorized to perform: ").nth(1);
        let action = action.and_then(|rest| rest.split([' ', '\n']).next());
        told.push(Told::AccessDenied { action: action.map(|action| printable(action, 128)) });
    }
    if is(&[
        "IncompleteSignature",
        "IncompleteSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    ]) || lower.contains("missing authentication token")
        || message.contains("Authorization header requires")
        || message.contains("must be a 'SignedHeader'")
    {
        told.push(Told::Incomplete);
    }
    told
}

/// `Signature expired: A is now earlier than B (C - 5 min.)`, `Signature not yet current: A is still later than B (C + 5 min.)`.
fn clock(message: &str) -> Option<Told> {
    let rest = ["Signature expired: ", "Signature not yet current: "]
        .iter()
        .find_map(|start| message.split_once(start).map(|(_, rest)| rest))?;
    let sent = rest.split(' ').next().filter(|time| unix(time).is_some())?;
    let theirs = rest.split_once('(').and_then(|(_, rest)| rest.split(' ').next());
    let theirs = theirs.filter(|time| unix(time).is_some());
    let ahead = theirs
        .and_then(unix)
        .zip(unix(sent))
        .and_then(|(theirs, sent)| i64::try_from(theirs.0).ok()?.checked_sub(i64::try_from(sent.0).ok()?));
    Some(Told::Clock { sent: sent.to_owned(), theirs: theirs.map(str::to_owned), ahead })
}

/// Reads `20260101T000000Z`.
pub(super) fn unix(text: &str) -> Option<UnixTime> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    if day.len() != 8
        || time.len() != 6
        || ![day, time].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let part = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(day, 0, 4)?, part(day, 4, 6)?, part(day, 6, 8)?);
    let (hour, minute, second) = (part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?);
    // Days of a calendar whose year begins in March (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
    let (from_march, year) = ((month + 9) % 12, year - u64::from(month < 3 && year > 0));
    let days = (365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day)
        .checked_sub(719_469)?;
    let unix = UnixTime(days * 86_400 + hour * 3_600 + minute * 60 + second);
    // A day or an hour that there is not is another one when it is written again.
    (crate::credential::amz_date(unix) == text).then_some(unix)
}

fn quoted_after(message: &str, start: &str) -> Option<String> {
    let (_, rest) = message.split_once(start)?;
    let quoted = rest.trim_start_matches(['\'', '"']).split(['\'', '"', '.']).next()?;
    (!quoted.is_empty()).then(|| printable(quoted, 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for seconds in [0, 951_825_600, 1_767_225_600, 1_798_675_199, 4_107_542_400] {
            assert_eq!(unix(&crate::credential::amz_date(UnixTime(seconds))), Some(UnixTime(seconds)));
        }
        for text in [
            "",
            "20260101",
            "20260101T000000",
            "20261301T000000Z",
            "20260230T000000Z",
            "20260101T240000Z",
            "19690101T000000Z",
            "2026010éT00000Z",
            "00000101T000000Z",
        ] {
            assert_eq!(unix(text), None, "{text}");
        }
    }

    #[test]
    fn each_of_aws_s_sentences_is_known() {
        let clock = |ahead| {
            vec![Told::Clock {
                sent: "20260101T000000Z".to_owned(),
                theirs: Some("20260101T002000Z".to_owned()),
                ahead: Some(ahead),
            }]
        };
        let denied = |action: &str| vec![Told::AccessDenied { action: Some(action.to_owned()) }];
        for (code, message, expected) in [
            (
                None,
                "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z (20260101T002000Z - 5 min.)",
                clock(1_200),
            ),
            (None, "The security token included in the request is expired", vec![Told::Expired]),
            (None, "The security token included in the request is invalid.", vec![Told::Unknown]),
            (Some("InvalidClientTokenId"), "", vec![Told::Unknown]),
            (
                Some("RequestTimeTooSkewed"),
                "",
                vec![Told::Clock { sent: String::new(), theirs: None, ahead: None }],
            ),
            (
                None,
                "Credential should be scoped to a valid region, not 'eu-west-1'. ",
                vec![Told::Region(None)],
            ),
            (
                Some("AuthorizationHeaderMalformed"),
                "the region 'a' is wrong; expecting 'us-west-2'",
                vec![Told::Region(Some("us-west-2".to_owned()))],
            ),
            (
                None,
                "Credential should be scoped to correct service: 'bedrock'. ",
                vec![Told::Service(Some("bedrock".to_owned()))],
            ),
            (
                None,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
                vec![Told::Day],
            ),
            (
                None,
                "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:InvokeModel on resource: y",
                denied("bedrock:InvokeModel"),
            ),
            (None, "Missing Authentication Token", vec![Told::Incomplete]),
            (None, "The model is not ready", vec![]),
        ] {
            assert_eq!(told(code, message), expected, "{message}");
        }
    }
}
