//! Where STS is, what its refusals mean, and clocks that differ.

use super::*;
use crate::base::Clock as _;
use crate::cache::{Failure as _, Retry};
use crate::credential::SigningSettings;
use crate::token::Fault;
use crate::token::aws::testing::{FakeSts, NOW, ROLE_A, USER, clock, outward, role};
use crate::token::aws::{source, testing};
use crate::token::stub::{Reply, material, obtain};

fn settings(region: Option<&str>, endpoint: Option<&str>, machine: Option<&str>) -> AwsSettings {
    AwsSettings {
        name: "n".to_owned(),
        signing: SigningSettings {
            region: region.map(str::to_owned),
            ambient_region: machine.map(str::to_owned),
            ..SigningSettings::default()
        },
        sts_endpoint: endpoint.map(|url| Url::parse(url).unwrap()),
        roles: Vec::new(),
        web_identity: None,
    }
}

#[test]
fn the_region_s_own_endpoint_is_asked_in_every_partition() {
    for (region, host) in [
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
    ] {
        let sts = Sts::of(&settings(Some(region), None, None), None).unwrap();
        assert_eq!((sts.url.as_str(), sts.region.as_str()), (&*format!("https://{host}/"), region));
    }
}

#[test]
fn the_nearest_to_the_entry_says_the_region() {
    let own = "https://sts.ap-south-1.amazonaws.com/";
    let vpce = "https://vpce-0a-1b.sts.ap-south-1.vpce.amazonaws.com/";
    for (entry, secret, endpoint, machine, expected) in [
        (Some("eu-west-1"), Some("eu-west-2"), Some(own), Some("eu-west-3"), Some("eu-west-1")),
        (None, Some("eu-west-2"), Some(own), Some("eu-west-3"), Some("eu-west-2")),
        (None, None, Some(own), Some("eu-west-3"), Some("ap-south-1")),
        (None, None, Some(vpce), Some("eu-west-3"), Some("ap-south-1")),
        (None, None, Some("https://vpce-1.sts.internal/"), Some("eu-west-3"), Some("eu-west-3")),
        (None, None, None, Some("eu-west-3"), Some("eu-west-3")),
        (None, None, None, Some("evil.example/"), None),
        (None, None, Some("https://sts.amazonaws.com/"), None, None),
        (None, None, None, None, None),
    ] {
        let found = Sts::of(&settings(entry, endpoint, machine), secret);
        assert_eq!(found.map(|sts| sts.region).as_deref(), expected, "{entry:?} {secret:?} {endpoint:?}");
    }
}

#[tokio::test]
async fn every_refusal_of_sts_is_classified_and_says_what_to_change() {
    let sts = FakeSts::start().await;
    let source = source(&sts.settings(&[role(ROLE_A)]), &material(&USER), &outward(&clock())).unwrap();
    for (status, code, fault, retry, says) in [
        (403, "AccessDenied", Fault::Operator, Retry::WhenChanged, "external_id"),
        (400, "ExpiredTokenException", Fault::Operator, Retry::WhenChanged, "session_token"),
        (400, "IDPCommunicationError", Fault::Remote, Retry::Soon, "jwks_uri"),
        (403, "InvalidClientTokenId", Fault::Operator, Retry::WhenChanged, "access_key_id"),
        (403, "UnrecognizedClientException", Fault::Operator, Retry::WhenChanged, "access_key_id"),
        (400, "InvalidIdentityToken", Fault::Operator, Retry::WhenChanged, "audience"),
        (403, "IDPRejectedClaim", Fault::Operator, Retry::WhenChanged, "revoked"),
        (400, "PackedPolicyTooLarge", Fault::Operator, Retry::WhenChanged, "tags"),
        (403, "RegionDisabledException", Fault::Operator, Retry::WhenChanged, "sts_endpoint"),
        (403, "SessionDurationEscalationException", Fault::Operator, Retry::WhenChanged, "duration"),
        (400, "JWTPayloadSizeExceeded", Fault::Operator, Retry::WhenChanged, "claims"),
        (400, "ValidationError", Fault::Operator, Retry::WhenChanged, "3600s"),
        (403, "SignatureDoesNotMatch", Fault::Operator, Retry::WhenChanged, "secret_access_key"),
        (400, "RequestExpired", Fault::Operator, Retry::WhenChanged, "clock"),
        (400, "Throttling", Fault::Remote, Retry::Soon, "nothing here"),
        (500, "InternalFailure", Fault::Remote, Retry::Soon, "nothing here"),
        (503, "ServiceUnavailable", Fault::Remote, Retry::Soon, "nothing here"),
        (418, "canary-code", Fault::Operator, Retry::WhenChanged, "CloudTrail"),
    ] {
        sts.refuses(ROLE_A, status, code);
        let (result, legs) = obtain(&source).await;
        let error = result.unwrap_err();
        assert_eq!((error.fault(), error.retry(), error.status()), (fault, retry, Some(status)), "{code}");
        assert!(error.hint().is_some_and(|hint| hint.contains(says)), "{code}: {:?}", error.hint());
        assert_eq!(error.hop.as_deref(), Some("hop 1, arn:aws:iam::111111111111:role/a"));
        assert!(!format!("{error} {error:?} {}", error.code()).contains("canary"), "{error:?}");
        assert!(legs.iter().all(|leg| !leg.succeeded));
    }
    sts.stub.answers(|_| Reply::Text(403, Vec::new(), "<html>canary</html>".to_owned()));
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("status", Retry::WhenChanged), "a firewall's page");
    assert!(error.hint().is_some_and(|hint| hint.contains("between here and STS")));
    sts.stub.answers(|_| Reply::Text(502, Vec::new(), "<html>canary</html>".to_owned()));
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("status", Retry::Soon), "a proxy's page");
    sts.stub.answers(|_| Reply::Text(200, Vec::new(), "<html>canary</html>".to_owned()));
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!(error.kind, AnswerFault::Sts.into());
    assert!(error.hint().is_some_and(|hint| hint.contains("sts_endpoint")));
}

#[tokio::test]
async fn t18_a_clock_that_is_wrong_is_corrected_once_and_the_end_is_what_was_asked_for() {
    let sts = FakeSts::start().await;
    let clock = clock();
    let source = source(&sts.settings(&[role(ROLE_A)]), &material(&USER), &outward(&clock)).unwrap();
    sts.is_at(NOW.0 + 600);
    let (token, legs) = obtain(&source).await;
    let token = token.unwrap();
    assert_eq!(token.left(clock.now()), Duration::from_secs(3_600), "their date would be ten minutes more");
    let legs: Vec<_> = legs.iter().map(|leg| leg.succeeded).collect();
    assert_eq!((legs, sts.asked().len()), (vec![false, true], 2));
    sts.is_at(NOW.0 - 600);
    assert_eq!(obtain(&source).await.0.unwrap().left(clock.now()), Duration::from_secs(3_000));
    // Refused with a clock like ours, it is the key that is wrong: nothing is tried twice.
    let wrong = [("access_key_id", testing::USER_ID), ("secret_access_key", "another")];
    let source =
        super::super::source(&sts.settings(&[role(ROLE_A)]), &material(&wrong), &outward(&clock)).unwrap();
    for (theirs, asked) in [(NOW.0 + 200, 1), (NOW.0 + 600, 2), (NOW.0 + 200_000, 1)] {
        let before = sts.asked().len();
        sts.is_at(theirs);
        let error = obtain(&source).await.0.unwrap_err();
        assert_eq!(error.code(), "SignatureDoesNotMatch");
        assert_eq!(sts.asked().len() - before, asked, "{theirs}");
    }
}

#[tokio::test]
async fn keys_that_have_ended_already_are_none() {
    let sts = FakeSts::start().await;
    let source = source(&sts.settings(&[role(ROLE_A)]), &material(&USER), &outward(&clock())).unwrap();
    sts.lasts(ROLE_A, 0);
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!(error.kind, AnswerFault::Over.into());
    assert!(error.hint().is_some_and(|hint| hint.contains("clock")));
}
