//! The subject token of AWS: a signed GetCallerIdentity that is never sent, but handed to Google, which sends it
//! (<https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>, as google-auth writes it).

use aws_sigv4::http_request::{SignableBody, SignableRequest};
use serde_json::json;
use url::Url;

use crate::base::{Secret, UnixTime};
use crate::credential::AwsKeys;

/// Signed as well, so that the request is good for one provider of one pool.
const TARGET: &str = "x-goog-cloud-target-resource";

/// Signs `verification` in `region` for `audience`, and writes it as a subject token; none where it cannot be signed.
pub(super) fn subject_token(
    keys: &AwsKeys,
    verification: &Url,
    region: &str,
    audience: &str,
    now: UnixTime,
) -> Option<Secret<String>> {
    let host = verification.host_str()?;
    let mut headers = vec![("host".to_owned(), host.to_owned()), (TARGET.to_owned(), audience.to_owned())];
    let signed = {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request =
            SignableRequest::new("POST", verification.as_str(), headers, SignableBody::Bytes(b"")).ok()?;
        keys.sign(request, region, "sts", now)?
    };
    let (added, _query) = signed.into_parts();
    headers.extend(added.iter().map(|header| (header.name().to_owned(), header.value().to_owned())));
    let headers: Vec<_> = headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let request =
        Secret::new(json!({"url": verification.as_str(), "method": "POST", "headers": headers}).to_string());
    let encoded: String = url::form_urlencoded::byte_serialize(request.expose().as_bytes()).collect();
    // Every decoder reads %20 as a space; `+` only those of forms. The form that carries this encodes it once more.
    Some(Secret::new(encoded.replace('+', "%20")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::google::testing::{aws_signature, unquoted};

    fn keys(session_token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: session_token.map(|token| Secret::new(token.to_owned())),
        }
    }

    #[test]
    fn the_request_is_signed_as_aws_would_check_it() {
        let url = "https://sts.us-east-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        for session_token in [None, Some("session-1")] {
            let keys = keys(session_token);
            let now = UnixTime(1_440_938_160);
            let token = subject_token(&keys, &Url::parse(url).unwrap(), "us-east-2", "//iam/x", now).unwrap();
            let request: serde_json::Value = serde_json::from_str(&unquoted(token.expose())).unwrap();
            assert_eq!((request["url"].as_str(), request["method"].as_str()), (Some(url), Some("POST")));
            let header = |name: &str| {
                let all = request["headers"].as_array().unwrap();
                let mut found = all.iter().filter(|header| header["key"] == name);
                let value = found.next().map(|header| header["value"].as_str().unwrap().to_owned());
                assert!(found.next().is_none());
                value
            };
            assert_eq!(header("host").unwrap(), "sts.us-east-2.amazonaws.com");
            assert_eq!(header(TARGET).unwrap(), "//iam/x");
            assert_eq!(header("x-amz-date").unwrap(), "20150830T123600Z");
            assert_eq!(header("x-amz-security-token").as_deref(), session_token);
            assert_eq!(header("authorization").unwrap(), aws_signature(&request, &keys, "us-east-2"));
        }
    }
}
