//! Tests of `explain.rs`: what is explained is what is signed.

use std::sync::Arc;

use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;
use crate::base::{Clock as _, ManualClock, UnixTime};
use crate::credential::{AwsKeys, BEDROCK_RUNTIME, SigningSettings};
use crate::request::{EnvoyFacts, Half};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// `authorization` as it follows from an explanation.
fn authorization(explained: &Explanation) -> String {
    let StringToSign { algorithm, time, scope, hash } = &explained.string;
    let text = format!("{algorithm}\n{time}\n{scope}\n{hash}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    let signature: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let names = explained.canonical.signed_headers();
    format!("{algorithm} Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_explained_is_what_is_signed(
        method in "GET|POST",
        path in "(/[a-zA-Z0-9._~:@!$&'()*+,=-]{1,8}|/a%2[0-9A-F]){1,4}(\\?a=(%2[0-9A-C]|[a-z]){0,4}(&b=)?)?",
        host in "gateway|bedrock-runtime\\.(us-east-1|eu-west-3)\\.amazonaws\\.com(:443)?",
        region in proptest::option::of("us-east-1|eu-west-3"),
        lines in proptest::collection::vec(("content-type|x-other", " {0,1}[a-z/]{0,6} {0,2}[a-zé;]{0,3}"), 0..3),
        token in proptest::option::of("[A-Za-z0-9+/=]{1,40}"),
        body in proptest::collection::vec(any::<u8>(), 0..32),
        seconds in 0_u64..4_000_000_000,
    ) {
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new(SECRET.to_owned()),
            session_token: token.map(Secret::new),
        };
        let ambient_region = Some("us-east-1".to_owned());
        let settings =
            SigningSettings { region, ambient_region, endpoint_prefix: Some(BEDROCK_RUNTIME), ..SigningSettings::default() };
        let signer = Signer::new(keys, None, Arc::new(settings));
        let envoy = EnvoyFacts::default();
        let view = RequestView {
            method: &method,
            authority: &host,
            raw_path: &path,
            headers: lines.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
            envoy,
            half: Half::Whole,
            body: Body::Whole(&body),
        };
        let now = ManualClock::at(UnixTime(seconds)).now();
        match (signer.sign(&view, now, &ClockSkews::default()), signer.explain(&view, now)) {
            (Ok((set, signed)), Ok(explained)) => {
                let line = set.iter().find(|line| line.name == "authorization").unwrap();
                prop_assert_eq!(str::from_utf8(line.value.wire()).unwrap(), authorization(&explained));
                prop_assert_eq!(&*signed.host, explained.host);
                prop_assert_eq!(explained.refusal, None);
            }
            (Err(error), Ok(explained)) => prop_assert_eq!(explained.refusal, Some(error)),
            (signed, Err(error)) => prop_assert!(signed.is_err(), "{}", error),
        }
    }
}
