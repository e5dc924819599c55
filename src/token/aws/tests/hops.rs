//! Roles, one after the other.

use std::collections::BTreeMap;

use super::*;
use crate::base::Clock as _;
use crate::provider::AwsErrorCode;
use crate::token::SourceErrorKind;
use crate::token::aws::testing::ROLE_C;

fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_chain_of_three_asks_each_role_with_the_keys_of_the_one_before() {
    let sts = FakeSts::start().await;
    sts.wants(ROLE_A, "tenant-1:x/y");
    let b = Role {
        session_name: Some("own@name".to_owned()),
        duration: Some(Duration::from_secs(900)),
        tags: vec![("team".to_owned(), "a b=é".to_owned()), ("env".to_owned(), String::new())],
        transitive_tags: vec!["team".to_owned(), "env".to_owned()],
        source_identity: Some("bouncer".to_owned()),
        ..role(ROLE_B)
    };
    let fields = [USER[0], USER[1], ("role_arn", ROLE_A), ("external_id", "tenant-1:x/y")];
    let clock = clock();
    let source = source(&sts.settings(&[b, role(ROLE_C)]), &material(&fields), &outward(&clock)).unwrap();
    let (token, legs) = obtain(&source).await;
    let token = token.unwrap();
    let TokenValue::Keys { keys, .. } = &token.value else { panic!("keys") };
    assert_eq!(*keys, testing::keys("ASIA3", "canary-secret-3", Some("canary-session-3")));
    assert_eq!((token.left(clock.now()).as_secs(), source.role()), (3_600, Some(ROLE_C)));
    let common = |arn| [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", arn)];
    let plain = [("RoleSessionName", "bouncer-bedrock-prod"), ("DurationSeconds", "3600")];
    let seen = sts.stub.seen();
    let forms: Vec<_> = seen.iter().map(|seen| seen.form()).collect();
    assert_eq!(
        forms,
        [
            form(&[&common(ROLE_A)[..], &plain, &[("ExternalId", "tenant-1:x/y")]].concat()),
            form(
                &[
                    &common(ROLE_B)[..],
                    &[
                        ("RoleSessionName", "own@name"),
                        ("DurationSeconds", "900"),
                        ("Tags.member.1.Key", "team"),
                        ("Tags.member.1.Value", "a b=é"),
                        ("Tags.member.2.Key", "env"),
                        ("Tags.member.2.Value", ""),
                        ("TransitiveTagKeys.member.1", "team"),
                        ("TransitiveTagKeys.member.2", "env"),
                        ("SourceIdentity", "bouncer"),
                    ],
                ]
                .concat()
            ),
            form(&[&common(ROLE_C)[..], &plain].concat()),
        ]
    );
    let signers =
        seen.iter().map(|seen| seen.header("authorization").unwrap().split(['=', '/']).nth(1).unwrap());
    assert_eq!(signers.collect::<Vec<_>>(), [USER_ID, "ASIA1", "ASIA2"]);
    let legs: Vec<_> = legs
        .iter()
        .map(|leg| (leg.hop.clone().unwrap().to_string(), leg.lives.unwrap().as_secs(), leg.succeeded))
        .collect();
    let leg = |number: usize, arn: &str, lives| (format!("hop {number}, {arn}"), lives, true);
    assert_eq!(legs, [leg(1, ROLE_A, 3_600), leg(2, ROLE_B, 900), leg(3, ROLE_C, 3_600)]);
}

#[tokio::test]
async fn t18_an_error_names_the_hop_and_nothing_after_it_is_asked() {
    let sts = FakeSts::start().await;
    let roles = [role(ROLE_A), role(ROLE_B), role(ROLE_C)];
    let source = source(&sts.settings(&roles), &material(&USER), &outward(&clock())).unwrap();
    sts.refuses(ROLE_B, 403, "AccessDenied");
    let (result, legs) = obtain(&source).await;
    let at = sts.stub.url.origin().ascii_serialization();
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("assume role (hop 2, {ROLE_B}) at {at}: AccessDenied (status 403)")
    );
    assert_eq!(sts.asked(), [ROLE_A, ROLE_B]);
    assert_eq!(legs.iter().map(|leg| leg.succeeded).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn t18_a_wrong_external_id_is_access_denied() {
    let sts = FakeSts::start().await;
    sts.wants(ROLE_A, "right");
    for (external_id, works) in [(Some("right"), true), (Some("wrong"), false), (None, false)] {
        let first = Role { external_id: external_id.map(str::to_owned), ..role(ROLE_A) };
        let source = source(&sts.settings(&[first]), &material(&USER), &outward(&clock())).unwrap();
        match obtain(&source).await.0 {
            Ok(_) => assert!(works, "{external_id:?}"),
            Err(error) => {
                assert!(!works, "{external_id:?}");
                let SourceErrorKind::Sts { code, .. } = error.kind else { panic!("{error}") };
                assert_eq!(code, AwsErrorCode::AccessDenied);
            }
        }
    }
}

#[tokio::test]
async fn a_hop_may_end_before_the_next_one() {
    let sts = FakeSts::start().await;
    sts.lasts(ROLE_A, 60);
    let clock = clock();
    let source =
        source(&sts.settings(&[role(ROLE_A), role(ROLE_B)]), &material(&USER), &outward(&clock)).unwrap();
    assert_eq!(obtain(&source).await.0.unwrap().left(clock.now()).as_secs(), 3_600);
}
