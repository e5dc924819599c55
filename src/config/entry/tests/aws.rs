//! `aws_sigv4`: the documentation's second entry, what each key becomes, and the rules of a chain at their edges.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{BEDROCK, faults, read, read_in, texts, token};
use crate::base::Fault;
use crate::cache::{Policy, RefreshPolicy};
use crate::config::environment::Environment;
use crate::config::read::load_in;
use crate::config::schema::Form;
use crate::config::{CredentialSettings, Feedback, ProviderEntry, tree};
use crate::credential::SigningSettings;
use crate::provider::{ApiKeyPlacement, AuthType, ProviderKind};
use crate::token::{AwsEnvironment, AwsSettings, ClientTls, Grant, Role, TokenSettings};

const ROLE: &str = "arn:aws:iam::111111111111:role/a";

fn aws(entry: &ProviderEntry) -> &AwsSettings {
    let Grant::Aws(aws) = &token(entry).grant else { panic!("AWS") };
    aws
}

/// Faults of a bedrock entry with this section `aws`, beside and without a secret.
fn faults_with(aws: &str) -> Vec<(String, String)> {
    faults_of(&format!("provider: bedrock\nauth_type: aws_sigv4\ncredential_ref: a\naws: {aws}"))
}

fn faults_of(entry: &str) -> Vec<(String, String)> {
    match read_in(entry, Environment::default()) {
        Ok(_) => Vec::new(),
        Err(_) => faults(entry, Environment::default()),
    }
}

fn role(arn: &str) -> Role {
    Role { arn: arn.to_owned(), ..Role::default() }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_documentations_second_entry_is_keys_that_sign_and_wants_mfa() {
    let entry = read(BEDROCK);
    assert_eq!(
        (&*entry.provider.name, entry.provider.kind, entry.provider.auth),
        ("bedrock", ProviderKind::Bedrock, AuthType::AwsSigV4)
    );
    assert!(entry.provider.mfa.is_some() && entry.audit_on_rotate);
    assert_eq!(entry.feedback, Feedback::Answer);
    let expected = TokenSettings {
        secret: Some("bedrock-irsa-role".to_owned()),
        grant: Grant::Aws(AwsSettings {
            signing: SigningSettings::default(),
            sts_endpoint: None,
            roles: vec![],
            environment: AwsEnvironment::default(),
        }),
        policy: Policy::default(),
        tls: ClientTls::default(),
    };
    assert_eq!(token(&entry), &expected);
    let ambient = BEDROCK.replace("credential_ref: bedrock-irsa-role\n", "");
    assert_eq!(token(&read(&ambient)).secret, None);
}

#[test]
fn every_key_becomes_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/good-aws");
    let config = load_in(&folder.join("bouncer.yaml"), Environment::default()).unwrap();
    let named = |name: &str| config.providers.iter().find(|entry| &*entry.provider.name == name).unwrap();
    let full = named("full");
    assert_eq!((full.feedback, full.audit_on_rotate), (Feedback::Observe, false));
    let expected = TokenSettings {
        secret: Some("aws-keys".to_owned()),
        grant: Grant::Aws(AwsSettings {
            signing: SigningSettings {
                region: Some("us-east-1".to_owned()),
                ambient_region: None,
                service: Some("bedrock".to_owned()),
                host: Some("vpce-0123-abcd.bedrock-runtime.us-east-1.vpce.amazonaws.com".to_owned()),
            },
            sts_endpoint: Some("https://sts.us-east-1.amazonaws.com".parse().unwrap()),
            roles: vec![
                Role {
                    arn: "arn:aws:iam::111111111111:role/llm/gateway".to_owned(),
                    external_id: Some("a:b/c=d,e.f@g-h".to_owned()),
                    session_name: Some("llm-gateway@prod".to_owned()),
                    duration: Some(Duration::from_secs(12 * 3_600)),
                    tags: pairs(&[("cost center", ""), ("env", "prod"), ("team", "Größe 1")]),
                    transitive_tags: texts(&["team", "env"]),
                    source_identity: Some("gateway".to_owned()),
                },
                Role {
                    duration: Some(Duration::from_secs(3_600)),
                    tags: pairs(&[("hop", "2")]),
                    source_identity: Some("gateway".to_owned()),
                    ..role("arn:aws:iam::222222222222:role/bedrock")
                },
                Role {
                    duration: Some(Duration::from_secs(900)),
                    ..role("arn:aws:iam::222222222222:role/last")
                },
            ],
            environment: AwsEnvironment::default(),
        }),
        policy: Policy { refresh: RefreshPolicy::Proactive, margin: Duration::from_secs(600) },
        tls: ClientTls { ca: Some(folder.join("sts-ca.crt")), identity: None },
    };
    assert_eq!(token(full), &expected);
    let custom = aws(named("custom-service"));
    assert_eq!(custom.signing.host.as_deref(), Some("llm.example.com:8443"));
    assert_eq!(custom.sts_endpoint.as_ref().map(url::Url::as_str), Some("http://127.0.0.1:5000/"));
    let key = named("api-key");
    let CredentialSettings::ApiKey { placement, .. } = &key.credential else { panic!("an API key") };
    assert_eq!((placement, key.feedback), (&ApiKeyPlacement::bearer(), Feedback::Off));
    assert_eq!(config.limits.body_memory, 2 << 30);
}

#[test]
fn the_environments_region_is_for_who_says_none_and_has_to_be_one() {
    let entry = |rest: &str, region: &'static str| {
        let text = format!("provider: bedrock\nauth_type: aws_sigv4{rest}");
        let environment = Environment::from(move |name| match name {
            "AWS_REGION" => Some(region.into()),
            "AWS_ROLE_ARN" | "AWS_WEB_IDENTITY_TOKEN_FILE" => Some("b".into()),
            _ => None,
        });
        read_in(&text, environment).map(|mut config| aws(&config.providers.remove(0)).clone())
    };
    let said = entry("", "eu-west-1").unwrap();
    assert_eq!(said.signing.ambient_region.as_deref(), Some("eu-west-1"));
    assert_eq!((said.environment.region.as_deref(), said.signing.region), (Some("eu-west-1"), None));
    // A secret may say no more than a role to assume: whose keys do it, the environment says.
    let with_secret = entry("\ncredential_ref: a", "eu-west-1").unwrap();
    assert!(said.environment.web_identity.is_some() && with_secret.environment == said.environment);
    let fault = entry("", "https://secret-value.example").unwrap_err().remove(0);
    assert_eq!(fault.what, "$AWS_REGION is not the name of a region");
    assert_eq!(fault.path, "providers[0].aws.region");
    let own = entry("\naws: {region: us-east-1}", "https://secret-value.example").unwrap();
    assert_eq!((own.signing.ambient_region, own.environment.region), (None, None));
}

#[test]
fn a_region_of_the_environment_has_the_form_that_the_schema_wants() {
    for text in [
        "us-east-1",
        "ap-southeast-7",
        "us-gov-west-1",
        "us-isob-east-1",
        "eusc-de-east-1",
        "cn-north-1",
        "",
        "us-east-1a",
        "us-east",
        "useast1",
        "US-EAST-1",
        "us-east-100",
        "u-east-1",
        "us--1",
        "us-east-1\n",
        "local",
    ] {
        let environment = Environment::from(|name| (name == "AWS_REGION").then(|| text.into()));
        let ambient = read_in("provider: bedrock\nauth_type: aws_sigv4", environment).is_ok();
        let own = faults_with(&format!("{{region: {text:?}}}")).is_empty();
        assert_eq!(own, ambient && !text.is_empty(), "{text}");
    }
}

#[test]
fn a_session_is_no_longer_than_who_assumes_the_role_may_make_it() {
    let chain = |durations: [&str; 2]| {
        format!(
            "{{roles: [{{arn: {ROLE:?}, duration: {}}}, {{arn: \"{ROLE}b\", duration: {}}}]}}",
            durations[0], durations[1]
        )
    };
    let entry = |secret: &str, durations| {
        faults_of(&format!("provider: bedrock\nauth_type: aws_sigv4{secret}\naws: {}", chain(durations)))
    };
    let told =
        |faults: Vec<(String, String)>| -> Vec<String> { faults.into_iter().map(|fault| fault.1).collect() };
    assert!(entry("\ncredential_ref: a", ["12h", "1h"]).is_empty());
    assert!(entry("\ncredential_ref: a", ["15m", "15m"]).is_empty());
    assert!(entry("", ["1h", "1h"]).is_empty());
    assert_eq!(told(entry("\ncredential_ref: a", ["12h1s", "1h"])), ["is more than 12h"]);
    assert_eq!(told(entry("\ncredential_ref: a", ["14m59s", "899s"])), ["is less than 15m"; 2]);
    assert_eq!(told(entry("\ncredential_ref: a", ["1h", "20m1ms"])), ["has a part of a second"]);
    let second = "is more than 1h: no role that is assumed by another one has more";
    assert_eq!(told(entry("\ncredential_ref: a", ["12h", "1h1s"])), [second]);
    let ambient = "is more than 1h: without credential_ref it is the machine's own role that assumes it";
    assert_eq!(told(entry("", ["1h1s", "1h"])), [ambient]);
    // What is wrong with the secret's name is told, and nothing that would follow from its being none.
    assert_eq!(entry("\ncredential_ref: 1", ["12h", "1h"]).len(), 1);
}

/// Texts at the edges of each form: the key of a role, what fits, what does not.
const FORMS: [(&str, &[&str], &[&str]); 4] = [
    (
        "arn",
        &[
            "arn:aws:iam::111111111111:role/a",
            "arn:aws:iam::111111111111:role/path/to/a_b+=,.@-",
            "arn:aws-us-gov:iam::111111111111:role/a",
            "arn:aws-eusc:iam::111111111111:role/a",
            "arn:aws-iso-b:iam::111111111111:role/a",
        ],
        &[
            "",
            "arn:aws:iam::1111111111111:role/a",
            "arn:aws:iam:us-east-1:111111111111:role/a",
            "arn:aws:sts::111111111111:assumed-role/a/b",
            "arn:aws:iam::111111111111:role/",
            "arn:aws:iam::111111111111:role//a",
            "arn:aws:iam::111111111111:role/a b",
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::111111111111:role/a\n",
            "arn:aws-gov:iam::111111111111:role/a",
            "ARN:aws:iam::111111111111:role/a",
            " arn:aws:iam::111111111111:role/a",
        ],
    ),
    ("external_id", &["ab", "a+=,.@:/-_9"], &["", "a", "a b", "ab\n", "é1", "a;b"]),
    ("session_name", &["ab", "a+=,.@-_9"], &["", "a", "a:b", "a/b", "ab\n", "éé", "٣٣"]),
    ("source_identity", &["ab", "a+=,.@-_9"], &["", "a", "a:b", "a/b", "ab\n", "éé"]),
];

#[test]
fn each_text_of_a_role_has_the_form_that_sts_wants() {
    let told = |key: &str, text: &str| {
        let arn = if key == "arn" { String::new() } else { format!("arn: {ROLE:?}, ") };
        faults_with(&format!("{{roles: [{{{arn}{key}: {text:?}}}]}}"))
    };
    for (key, right, wrong) in FORMS {
        for text in right {
            assert_eq!(told(key, text), [], "{text}");
        }
        for text in wrong {
            let faults = told(key, text);
            assert_eq!(faults.len(), 1, "{text}");
            assert_eq!(faults[0].0, format!("providers[0].aws.roles[0].{key}"));
            assert!(faults[0].1.starts_with("is not "), "{text}: {}", faults[0].1);
        }
    }
    for (key, most) in [("external_id", 1_224), ("session_name", 64), ("source_identity", 64)] {
        assert!(told(key, &"a".repeat(most)).is_empty() && told(key, &"a".repeat(most + 1)).len() == 1);
    }
    let longest = |name: usize| told("arn", &format!("arn:aws:iam::111111111111:role/{}", "a".repeat(name)));
    assert!(longest(64).is_empty() && longest(65).len() == 1);
}

#[test]
fn tags_have_the_form_and_the_number_that_sts_wants() {
    let told = |tags: &str| faults_with(&format!("{{roles: [{{arn: {ROLE:?}, tags: {{{tags}}}}}]}}"));
    let many = |count: usize| (0..count).map(|tag| format!("t{tag}: a, ")).collect::<String>();
    let (key, value) = ("k".repeat(128), "é".repeat(256));
    for right in
        [format!("{key}: {value:?}"), "\"a b_.:/=+-@9٣Ж\": \"\"".to_owned(), "awsa: b".to_owned(), many(50)]
    {
        assert_eq!(told(&right), [], "{right}");
    }
    for wrong in [
        format!("{key}k: a"),
        format!("a: \"{value}é\""),
        "\"\": a".to_owned(),
        "\"a\\tb\": a".to_owned(),
        "a: \"b\\n\"".to_owned(),
        "\"a*\": b".to_owned(),
        // A mark that stands on nothing is no letter.
        "a: \"\\u0301\"".to_owned(),
        "\"aws:a\": b".to_owned(),
        "\"AWS:a\": b".to_owned(),
        "a: b, A: c".to_owned(),
        many(51),
    ] {
        let faults = told(&wrong);
        assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
        assert!(!faults[0].1.contains("does not have the"), "{wrong}: {}", faults[0].1);
    }
}

#[test]
fn what_one_role_settles_the_later_ones_cannot_change() {
    let chain = |first: &str, second: &str, third: &str| {
        let roles =
            [first, second, third].into_iter().enumerate().map(|(at, rest)| match rest.contains("arn:") {
                true => format!("{{{rest}}}"),
                false => format!("{{arn: \"{ROLE}{at}\"{rest}}}"),
            });
        faults_with(&format!("{{roles: [{}]}}", roles.collect::<Vec<_>>().join(", ")))
    };
    let of = ", tags: {a: b}, transitive_tags: [a]";
    let path = |rest: &str| format!("providers[0].aws.roles[2].{rest}");
    assert!(chain(of, ", tags: {b: c}", ", tags: {b: c}").is_empty());
    for key in ["a", "A"] {
        assert_eq!(chain(of, "", &format!(", tags: {{{key}: b}}"))[0].0, path(&format!("tags.{key}")));
    }
    assert!(chain(", source_identity: aa", "", ", source_identity: aa").is_empty());
    // It is AWS's as well where a later role is the first to have one.
    assert_eq!(chain("", ", source_identity: aa", ", source_identity: Aa")[0].0, path("source_identity"));
    let again = |name: &str| chain("", "", &format!("arn: \"{ROLE}{name}\""));
    assert!(again("2").is_empty());
    assert_eq!(again("0")[0].1, "is the role of roles[0] again: the chain is a circle");
    let upper = chain("", "", "arn: \"arn:aws:iam::111111111111:role/A1\"");
    assert_eq!(upper[0].1, "is the role of roles[1] again: the chain is a circle");
    let elsewhere = chain("", "", "arn: \"arn:aws-cn:iam::111111111111:role/x\"");
    assert_eq!((elsewhere.len(), elsewhere[0].0.as_str()), (1, path("arn").as_str()));
    assert!(elsewhere[0].1.contains("roles[0] is in aws"), "{}", elsewhere[0].1);
}

#[test]
fn ten_roles_are_a_chain_and_eleven_are_none() {
    let chain = |count: usize| {
        let roles: Vec<String> = (0..count).map(|at| format!("{{arn: \"{ROLE}{at}\"}}")).collect();
        faults_with(&format!("{{roles: [{}]}}", roles.join(", ")))
    };
    assert!(chain(10).is_empty());
    assert_eq!(chain(11), [("providers[0].aws.roles".to_owned(), "has too many roles".to_owned())]);
}

fn text() -> impl Strategy<Value = String> {
    let samples: Vec<String> = FORMS
        .iter()
        .flat_map(|(_, right, wrong)| right.iter().chain(*wrong))
        .chain(&[
            "us-east-1",
            "bedrock",
            "s3",
            "llm.example.com:1",
            "a..b",
            "15m",
            "1h",
            "13h",
            "https://sts.example.com",
        ])
        .map(|&text| text.to_owned())
        .collect();
    prop_oneof![3 => prop::sample::select(samples), 1 => "[a-zA-Z0-9_+=,.@:/ é-]{0,70}"]
}

fn section() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::json;
    let tags = prop::collection::btree_map(text(), text(), 0..4);
    let role = (
        text(),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
        tags,
        prop::bool::ANY,
    );
    let role = role.prop_map(|(arn, external_id, duration, identity, tags, transitive)| {
        let keys: Vec<_> = tags.keys().filter(|_| transitive).cloned().collect();
        let mut role = json!({"arn": arn, "tags": tags, "transitive_tags": keys});
        let rest = [("external_id", external_id), ("duration", duration), ("source_identity", identity)];
        for (key, text) in rest.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            role[key] = text.into();
        }
        role
    });
    let keys = prop::collection::btree_map(
        prop::sample::select(vec!["region", "service", "host", "sts_endpoint"]),
        text(),
        0..4,
    );
    (keys, prop::collection::vec(role, 0..12)).prop_map(|(keys, roles)| {
        let mut section = json!(keys);
        section["roles"] = roles.into();
        section
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn what_passes_the_schema_loads_or_is_told_why(section in section()) {
        let entry = serde_json::json!({"provider": "bedrock", "auth_type": "aws_sigv4", "aws": section});
        let (root, _) = tree::parse(&entry.to_string()).unwrap();
        let fits = Form::Entry.validator().unwrap().is_valid(&root.to_json());
        match read_in(&entry.to_string(), Environment::default()) {
            Ok(config) => {
                prop_assert!(fits);
                let aws = aws(&config.providers[0]).clone();
                let roles = section["roles"].as_array().unwrap();
                prop_assert_eq!(aws.roles.len(), roles.len());
                for (role, raw) in aws.roles.iter().zip(roles) {
                    prop_assert_eq!(Some(role.arn.as_str()), raw["arn"].as_str());
                    prop_assert_eq!(role.external_id.as_deref(), raw["external_id"].as_str());
                    prop_assert_eq!(role.tags.len(), raw["tags"].as_object().unwrap().len());
                }
                prop_assert_eq!(aws.signing.host.as_deref(), section["host"].as_str());
            }
            Err(faults) => {
                let told = |fault: &Fault| fault.path.starts_with("providers[0].aws") && fault.allowed.is_some();
                prop_assert!(faults.iter().all(told), "{faults:?}");
            }
        }
    }
}
