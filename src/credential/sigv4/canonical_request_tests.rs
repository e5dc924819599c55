//! Tests of `canonical_request.rs`: signatures made from it are those of `aws-sigv4`.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_lc_rs::hmac;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use proptest::prelude::*;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "SESSIONTOKENEXAMPLE";
const NEW_YEAR: UnixTime = UnixTime(1_767_225_600);

struct Case<'a> {
    method: &'a str,
    raw_path: &'a str,
    region: &'a str,
    headers: Vec<(String, String)>,
    body: &'a [u8],
    token: Option<&'a str>,
}

fn canonical(case: &Case<'_>) -> CanonicalRequest {
    let Case { method, raw_path, headers, body, token, .. } = case;
    let date = [("x-amz-date".to_owned(), amz_date(NEW_YEAR))];
    let token = token.map(|token| ("X-Amz-Security-Token".to_owned(), token.to_owned()));
    let headers = headers.iter().cloned().chain(date).chain(token);
    let headers = headers.map(|(name, value)| (name, Secret::new(value)));
    CanonicalRequest::new(method, raw_path, headers, &PayloadHash::of(body))
}

/// The signature that our texts lead to, with the keys of AWS's examples.
fn ours(case: &Case<'_>) -> String {
    let StringToSign { algorithm, time, scope, hash } =
        StringToSign::new(NEW_YEAR, case.region, "bedrock", canonical(case).hash());
    let text = format!("{algorithm}\n{time}\n{scope}\n{hash}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature, and the names that are signed.
fn theirs(case: &Case<'_>) -> (String, String) {
    let keys = Credentials::new("AKIDEXAMPLE", SECRET, case.token.map(str::to_owned), None, "test");
    let headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = format!("https://host.example{}", case.raw_path);
    let request = SignableRequest::new(case.method, &*url, headers, SignableBody::Bytes(case.body)).unwrap();
    let identity = keys.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(case.region)
        .name("bedrock")
        .time(UNIX_EPOCH + Duration::from_secs(NEW_YEAR.0))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let (instructions, signature) = http_request::sign(request, &params).unwrap().into_parts();
    let line = instructions.headers().find(|(name, _)| *name == "authorization").unwrap().1;
    let names = line.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap().to_owned();
    (signature, names)
}

fn golden(region: &'static str, raw_path: &'static str) -> Case<'static> {
    let host = format!("bedrock-runtime.{region}.amazonaws.com");
    let headers = vec![("content-type".to_owned(), "application/json".to_owned()), ("host".to_owned(), host)];
    Case { method: "POST", raw_path, region, headers, body: b"{}", token: Some(TOKEN) }
}

/// Computed with `aws-sigv4` and with a reference in Python that shares nothing with it.
#[test]
fn the_golden_vectors_have_their_canonical_paths_and_signatures() {
    for (region, raw_path, path, signature) in [
        (
            "us-east-1",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            "524113239a0641bbddf5b83f0222688a383460f407eb8dd5d5b73ec41d6ba05e",
        ),
        (
            "us-east-1",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse",
            "d9f393ee12699fb68aa29bc2513452c0a6c9e9e1dccc999f4f751928c80eb3da",
        ),
        (
            "us-west-2",
            "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse-stream",
            "/model/arn%253Aaws%253Abedrock%253Aus-west-2%253A123456789012%253Aapplication-inference-profile%252Fabc123/converse-stream",
            "e9b8091ea1acf937bc5c303b1abcf5e1edc86190149a79522158191c05290afb",
        ),
    ] {
        let case = golden(region, raw_path);
        let shown = canonical(&case).shown();
        assert_eq!((shown.path.as_str(), shown.query.as_str()), (path, ""));
        assert_eq!(shown.signed_headers, "content-type;host;x-amz-date;x-amz-security-token");
        assert_eq!(ours(&case), signature, "{raw_path}");
    }
}

#[test]
fn what_may_be_secret_is_shown_as_its_length_only() {
    let case = Case {
        raw_path: "/x?a=1&X-Amz-Security-Token=canary-1&access_token=canary-2&v=canary-0123456789012345678901234567890123456789",
        headers: [
            ("host", "h"),
            ("authorization", "canary-3"),
            ("cookie", "canary-4"),
            ("x-of-their-own", "canary-5"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        token: Some("canary-6"),
        ..golden("us-east-1", "/")
    };
    let canonical = canonical(&case);
    let shown = format!("{:?} {canonical:?}", canonical.shown());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        shown.contains("(\"x-amz-security-token\", \"<redacted, 8 bytes>\")") && shown.contains("a=1&"),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_signature_is_that_of_aws_sigv4(
        method in "GET|POST|PUT",
        path in "(/([a-zA-Z0-9._~:@!$&'()*+,;=-]|%[2-7][0-9A-Fa-f]|\\.{1,2}){0,8}){1,5}",
        query in proptest::option::of("[a-zA-Z0-9._~:@!$'()*+,;=&/-]{0,30}|([a-c]=(%[2-7][0-9A-F]|%C3%A9|[a-z]){0,3}&){0,5}"),
        content_type in proptest::option::of(" {0,2}[a-z]{1,5}/[a-z]{1,5} {0,3};? {0,3}[a-z=]{0,8} {0,2}"),
        token in proptest::option::of("[A-Za-z0-9+/=]{1,40}"),
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let raw_path = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut headers = vec![("host".to_owned(), "host.example".to_owned())];
        headers.extend(content_type.map(|value| ("Content-Type".to_owned(), value)));
        let case =
            Case { method: &method, raw_path: &raw_path, region: "eu-west-1", headers, body: &body, token: token.as_deref() };
        let (signature, names) = theirs(&case);
        prop_assert_eq!(canonical(&case).signed_headers(), names);
        prop_assert_eq!(ours(&case), signature, "{}", raw_path);
    }
}
