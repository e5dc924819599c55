//! Who decides which host, region and service are signed.

use std::sync::Arc;

use super::*;
use crate::base::Secret;
use crate::credential::{AwsKeys, BEDROCK_RUNTIME, SigningSettings};
use crate::request::{Body, EnvoyFacts, Headers};

const US: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const GATEWAY: &str = "llm.example";

/// Where the filter runs.
#[derive(Clone, Copy)]
enum At {
    Downstream,
    Upstream,
    UpstreamHalf,
}

/// Settings as words: `region`, `ambient`, `service`, `host`, `secret` (the region of the secret).
fn signer(prefix: Option<&'static str>, words: &[(&str, &str)]) -> Signer {
    let word =
        |name: &str| words.iter().find(|(word, _)| *word == name).map(|(_, value)| (*value).to_owned());
    let keys = AwsKeys {
        access_key_id: "AKID".to_owned(),
        secret_access_key: Secret::new("secret".to_owned()),
        session_token: None,
    };
    let settings = SigningSettings {
        entry: "".into(),
        region: word("region"),
        ambient_region: word("ambient"),
        service: word("service"),
        host: word("host"),
        endpoint_prefix: prefix,
    };
    Signer::new(keys, word("secret"), Arc::new(settings))
}

fn scope(signer: &Signer, at: At, authority: &str) -> Result<[String; 3], SigningError> {
    scope_with(signer, at, authority, &[])
}

fn scope_with(
    signer: &Signer,
    at: At,
    authority: &str,
    headers: &[(&str, &str)],
) -> Result<[String; 3], SigningError> {
    let envoy = EnvoyFacts { upstream: matches!(at, At::Upstream), ..EnvoyFacts::default() };
    let half = if matches!(at, At::UpstreamHalf) { Half::Upstream } else { Half::Whole };
    let headers: Headers<'_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let view =
        RequestView { method: "POST", authority, raw_path: "/", headers, envoy, half, body: Body::Empty };
    let scope = Scope::of(signer, &view)?;
    Ok([scope.host.into_owned(), scope.region.into_owned(), scope.service.to_owned()])
}

#[track_caller]
fn bedrock(words: &[(&str, &str)], at: At, authority: &str, expected: Result<[&str; 3], SigningError>) {
    let expected = expected.map(|parts| parts.map(str::to_owned));
    assert_eq!(scope(&signer(Some(BEDROCK_RUNTIME), words), at, authority), expected);
}

#[track_caller]
fn custom(words: &[(&str, &str)], at: At, authority: &str, expected: Result<[&str; 3], SigningError>) {
    let expected = expected.map(|parts| parts.map(str::to_owned));
    assert_eq!(scope(&signer(None, words), at, authority), expected);
}

#[test]
fn downstream_the_host_is_the_entrys_then_the_requests_then_the_regions() {
    let at = At::Downstream;
    let vpce = "vpce-0a-1b.bedrock-runtime.us-east-1.vpce.amazonaws.com";
    bedrock(&[("host", vpce)], at, GATEWAY, Ok([vpce, "us-east-1", "bedrock"]));
    bedrock(
        &[("host", "moto:5000"), ("region", "eu-west-1")],
        at,
        US,
        Ok(["moto:5000", "eu-west-1", "bedrock"]),
    );
    bedrock(&[], at, US, Ok([US, "us-east-1", "bedrock"]));
    bedrock(&[("region", "us-east-1")], at, GATEWAY, Ok([US, "us-east-1", "bedrock"]));
    let china = "bedrock-runtime.cn-north-1.amazonaws.com.cn";
    bedrock(&[("secret", "cn-north-1")], at, GATEWAY, Ok([china, "cn-north-1", "bedrock"]));
    bedrock(&[("ambient", "us-east-1")], at, GATEWAY, Ok([US, "us-east-1", "bedrock"]));
    let mantle = "bedrock-mantle.us-east-1.api.aws";
    bedrock(
        &[("region", "us-east-1"), ("service", "bedrock-mantle")],
        at,
        GATEWAY,
        Ok([mantle, "us-east-1", "bedrock-mantle"]),
    );
    bedrock(&[], at, GATEWAY, Err(SigningError::NoRegion));
    // What looks like a host of AWS is not signed.
    let evil = "bedrock-runtime.us-east-1.amazonaws.com.evil";
    bedrock(&[("region", "us-east-1")], at, evil, Ok([US, "us-east-1", "bedrock"]));
    custom(&[("region", "eu-west-1"), ("service", "x")], at, GATEWAY, Ok([GATEWAY, "eu-west-1", "x"]));
}

#[test]
fn upstream_the_host_is_that_of_the_attempt() {
    for at in [At::Upstream, At::UpstreamHalf] {
        bedrock(&[], at, US, Ok([US, "us-east-1", "bedrock"]));
        bedrock(
            &[("host", "BEDROCK-runtime.us-east-1.amazonaws.com:443")],
            at,
            US,
            Ok([US, "us-east-1", "bedrock"]),
        );
        bedrock(&[("region", "us-east-1")], at, "user@moto", Err(SigningError::Canonical));
        // It leaves as it is, whatever the entry's region would have made of it.
        bedrock(&[("region", "us-east-1")], at, "moto:5000", Ok(["moto:5000", "us-east-1", "bedrock"]));
    }
}

#[test]
fn upstream_the_entrys_host_counts_until_envoy_has_surely_written_its_own() {
    let west = "bedrock-runtime.us-west-2.amazonaws.com";
    let signer = signer(Some(BEDROCK_RUNTIME), &[("host", west)]);
    let original = ("x-envoy-original-host", GATEWAY);
    for at in [At::Upstream, At::UpstreamHalf] {
        for (authority, headers) in [
            // Before the first connection, and on a retry the attempt's before.
            (GATEWAY, &[("x-envoy-attempt-count", "1")][..]),
            (US, &[original, ("x-envoy-attempt-count", "2")]),
            (US, &[original]),
        ] {
            let signed = scope_with(&signer, at, authority, headers).map(|[host, ..]| host);
            assert_eq!(signed.as_deref(), Ok(west), "{headers:?}");
        }
        let written = [original, ("x-envoy-attempt-count", "1")];
        assert_eq!(scope_with(&signer, at, US, &written), Err(SigningError::Host));
        assert_eq!(scope_with(&signer, at, GATEWAY, &written), Err(SigningError::Host));
    }
}

#[test]
fn the_region_is_the_entrys_then_the_secrets_then_the_hosts_then_the_environments() {
    let at = At::Downstream;
    let words = [("region", "us-east-1"), ("secret", "us-west-1"), ("ambient", "us-west-2")];
    bedrock(&words, at, GATEWAY, Ok([US, "us-east-1", "bedrock"]));
    bedrock(
        &[("secret", "us-east-1"), ("ambient", "us-west-2")],
        at,
        GATEWAY,
        Ok([US, "us-east-1", "bedrock"]),
    );
    bedrock(&[("ambient", "us-west-2")], at, US, Ok([US, "us-east-1", "bedrock"]));
    let ambient = [("ambient", "us-west-2"), ("host", "moto:5000")];
    bedrock(&ambient, at, GATEWAY, Ok(["moto:5000", "us-west-2", "bedrock"]));
    bedrock(&[("region", "eu-west-1")], at, US, Err(SigningError::Region));
    bedrock(&[("secret", "eu-west-1")], at, US, Err(SigningError::Region));
    bedrock(&[("secret", "eu-west-1")], At::Upstream, US, Err(SigningError::Region));
    custom(&[("service", "x")], at, GATEWAY, Err(SigningError::NoRegion));
}

#[test]
fn the_service_is_the_entrys_or_the_hosts_and_they_agree() {
    let at = At::Downstream;
    let mantle = "bedrock-mantle.us-east-1.api.aws";
    bedrock(&[], at, mantle, Ok([mantle, "us-east-1", "bedrock-mantle"]));
    bedrock(&[("service", "bedrock")], at, mantle, Err(SigningError::Service));
    bedrock(&[("service", "x")], at, US, Err(SigningError::Service));
    bedrock(&[], at, "a.execute-api.us-east-1.amazonaws.com", Err(SigningError::Service));
    let api = "a.execute-api.us-east-1.amazonaws.com";
    custom(&[], at, api, Ok([api, "us-east-1", "execute-api"]));
    let open = "x.us-east-1.amazonaws.com";
    custom(&[], at, open, Err(SigningError::NoService));
    custom(&[("service", "x")], at, open, Ok([open, "us-east-1", "x"]));
    custom(&[("region", "us-east-1")], at, GATEWAY, Err(SigningError::NoService));
}
