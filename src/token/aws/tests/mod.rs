//! Which identity a secret names, and the chain of roles behind it.

mod hops;
mod kept;
mod secrecy;
mod web_identity;

use super::testing::{FakeSts, ROLE_A, ROLE_B, USER, USER_ID, USER_KEY, clock, outward, role};
use super::*;
use crate::token::stub::{material, obtain};
use crate::token::{KeyFault, Role, TokenValue, WebIdentity};

fn machine(settings: AwsSettings, role_arn: Option<&str>) -> AwsSettings {
    let own = WebIdentity {
        role_arn: role_arn.map(str::to_owned),
        token_file: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token".into(),
        session_name: None,
    };
    AwsSettings { web_identity: Some(own), ..settings }
}

#[tokio::test]
async fn keys_of_a_secret_are_taken_as_they_are_and_do_not_end() {
    let sts = FakeSts::start().await;
    for token in [None, Some("session")] {
        let fields = USER.into_iter().chain(token.map(|token| ("session_token", token)));
        let fields: Vec<_> = fields.chain([("region", "eu-west-2")]).collect();
        let source = source(&sts.settings(&[]), &material(&fields), &outward(&clock())).unwrap();
        let (found, legs) = obtain(&source).await;
        let found = found.unwrap();
        let TokenValue::Keys { keys, region } = found.value else { panic!("keys") };
        assert_eq!(keys, testing::keys(USER_ID, USER_KEY, token));
        assert_eq!((region.as_deref(), found.expiry), (Some("eu-west-2"), None));
        assert_eq!((legs.iter().count(), source.name(), source.role()), (0, "aws_keys", None));
    }
    assert_eq!(sts.asked().len(), 0);
}

/// A secret that names an identity never leads to that of the machine.
#[tokio::test]
async fn half_an_identity_and_two_of_them_are_faults() {
    let sts = FakeSts::start().await;
    // The machine has an identity, which would be the wrong one.
    let settings = machine(sts.settings(&[]), None);
    let lacks = |keys| SecretFault::NoKey { name: "sp".to_owned(), keys };
    let bad = |key, rule| SecretFault::Key { name: "sp".to_owned(), key, what: KeyFault::Aws(rule) };
    let [id, key] = USER;
    let (arn, file) = (("role_arn", ROLE_A), ("web_identity_token_file", "/token"));
    for (fields, expected) in [
        (&[id][..], lacks("secret_access_key")),
        (&[id, ("secret_access_key", "")], lacks("secret_access_key")),
        (&[key], lacks("access_key_id")),
        (&[id, ("session_token", "t")], lacks("secret_access_key")),
        (&[("session_token", "t")], lacks("access_key_id")),
        (&[("session_token", "t"), arn], lacks("access_key_id")),
        (
            &[("region", "eu-west-1")],
            lacks("access_key_id with secret_access_key, role_arn, web_identity_token_file"),
        ),
        (
            &[("client_id", "x")],
            lacks("access_key_id with secret_access_key, role_arn, web_identity_token_file"),
        ),
        (&[file], lacks("role_arn")),
        // What was left out by whoever fills the secret is no word for the machine.
        (&[("access_key_id", ""), ("secret_access_key", ""), arn], lacks("access_key_id")),
        (&[("secret_access_key", ""), arn], lacks("secret_access_key")),
        (&[("web_identity_token_file", ""), arn], lacks("web_identity_token_file")),
        (&[("external_id", "ab")], lacks("role_arn")),
        // Nor for the keys by themselves, which may do more than the role.
        (&[id, key, ("role_arn", "")], lacks("role_arn")),
        (&[id, key, ("session_name", "ab")], lacks("role_arn")),
        (
            &[id, key, file, arn],
            SecretFault::Several { name: "sp".to_owned(), keys: "access_key_id, web_identity_token_file" },
        ),
        (
            &[file, arn, ("external_id", "ab")],
            SecretFault::Beside {
                name: "sp".to_owned(),
                key: "external_id",
                other: "web_identity_token_file",
            },
        ),
        (
            &[("web_identity_token_file", "token"), arn],
            SecretFault::Key { name: "sp".to_owned(), key: "web_identity_token_file", what: KeyFault::Path },
        ),
        (&[("role_arn", "role/a")], bad("role_arn", "arn:aws:iam::ACCOUNT:role/NAME")),
        (&[arn, ("external_id", "a b")], bad("external_id", "2 to 1224 letters, digits and _+=,.@:/-")),
        (&[arn, ("session_name", "a:b")], bad("session_name", "2 to 64 letters, digits and _+=,.@-")),
        (&[id, ("secret_access_key", "a b")], bad("secret_access_key", "ASCII without white space")),
        (&[("access_key_id", "a/b"), key], bad("access_key_id", "letters, digits and `_`")),
        (
            &[id, key, ("region", "eu.example")],
            bad("region", "lower-case letters, digits and `-`, such as us-east-1"),
        ),
    ] {
        let found = source(&settings, &material(fields), &outward(&clock())).map(|source| source.name());
        assert_eq!(found, Err(expected), "{fields:?}");
    }
}

#[tokio::test]
async fn what_a_secret_names_decides_the_way() {
    let sts = FakeSts::start().await;
    let (arn, id) = (("role_arn", ROLE_A), ("external_id", "ext-1"));
    let [key_id, key] = USER;
    let none = sts.settings(&[]);
    let with = |role: Option<&str>| machine(sts.settings(&[]), role);
    for (settings, fields, name, role) in [
        (&none, &[][..], "aws_default_chain", None),
        (&none, &[key_id, key], "aws_keys", None),
        (&none, &[key_id, key, arn], "assume_role", Some(ROLE_A)),
        (&none, &[arn], "assume_role", Some(ROLE_A)),
        (&none, &[arn, ("web_identity_token_file", "/token")], "web_identity", Some(ROLE_A)),
        // The pod's own token leads to the role directly where it may; else its role is the one before.
        (&with(None), &[arn], "web_identity", Some(ROLE_A)),
        (&with(Some(ROLE_A)), &[arn], "web_identity", Some(ROLE_A)),
        (&with(Some(ROLE_B)), &[arn], "assume_role", Some(ROLE_A)),
        (&with(Some(ROLE_A)), &[arn, id], "assume_role", Some(ROLE_A)),
        (&with(Some(ROLE_A)), &[], "aws_default_chain", None),
    ] {
        let source = source(settings, &material(fields), &outward(&clock())).unwrap();
        assert_eq!((source.name(), source.role()), (name, role), "{fields:?}");
    }
}

#[tokio::test]
async fn where_no_region_is_known_the_fault_names_aws_region() {
    let sts = FakeSts::start().await;
    let mut settings = sts.settings(&[role(ROLE_A)]);
    settings.signing.region = None;
    for fields in [&USER[..], &[("role_arn", ROLE_A), ("web_identity_token_file", "/token")], &[]] {
        let fault = source(&settings, &material(fields), &outward(&clock())).map(|source| source.name());
        assert_eq!(fault, Err(SecretFault::NoAwsRegion), "{fields:?}");
        assert!(SecretFault::NoAwsRegion.to_string().contains("aws.region"));
    }
    settings.roles.clear();
    assert!(source(&settings, &material(&USER), &outward(&clock())).is_ok(), "keys need no STS");
}

#[tokio::test]
async fn t18_only_a_user_s_keys_may_ask_for_more_than_an_hour_and_only_once() {
    let sts = FakeSts::start().await;
    let long = |arn: &str| Role { duration: Some(Duration::from_secs(7_200)), ..role(arn) };
    let session = [USER[0], USER[1], ("session_token", "t")];
    let own_role = [USER[0], USER[1], ("role_arn", ROLE_B)];
    let file = [("role_arn", ROLE_B), ("web_identity_token_file", "/token")];
    let too_long = |arn: &str| Err(SecretFault::ChainedDuration { role: arn.to_owned() });
    for (roles, fields, expected) in [
        (&[long(ROLE_A)][..], &USER[..], Ok("assume_role")),
        (&[long(ROLE_A), role(ROLE_B)], &USER, Ok("assume_role")),
        (&[role(ROLE_A), long(ROLE_B)], &USER, too_long(ROLE_B)),
        (&[long(ROLE_A)], &session, too_long(ROLE_A)),
        (&[long(ROLE_A)], &own_role, too_long(ROLE_A)),
        (&[long(ROLE_A)], &file, too_long(ROLE_A)),
        (&[long(ROLE_A)], &[], too_long(ROLE_A)),
    ] {
        let found = source(&sts.settings(roles), &material(fields), &outward(&clock()));
        assert_eq!(found.map(|source| source.name()), expected, "{fields:?}");
    }
    assert!(SecretFault::ChainedDuration { role: ROLE_A.to_owned() }.to_string().contains("3600"));
}
