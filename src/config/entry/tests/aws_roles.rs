//! The roles of `aws`: each form and each rule of a chain at its edges.

use proptest::prelude::*;

use super::aws::{aws, faults_of, faults_with};
use super::read_in;
use crate::base::Fault;
use crate::config::environment::Environment;
use crate::config::schema::Form;
use crate::config::tree;

const ROLE: &str = "arn:aws:iam::111111111111:role/a";

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
fn transitive_tags_are_tags_of_the_role_and_no_more_than_sts_takes() {
    let told = |transitive: &str| {
        let faults = faults_with(&format!(
            "{{roles: [{{arn: {ROLE:?}, tags: {{a: b, c: 1}}, transitive_tags: [{transitive}]}}]}}"
        ));
        faults.into_iter().map(|(path, what)| (path.replace("providers[0].aws.roles[0].", ""), what))
    };
    // That the tag has no text is told of the tag alone.
    assert_eq!(told("a, c").map(|fault| fault.0).collect::<Vec<_>>(), ["tags.c"]);
    assert!(told("A").any(|fault| fault.1 == "is none of this role's tags"));
    assert!(told("a, a").any(|fault| fault.1 == "stands here twice"));
    assert!(told(&"a, ".repeat(51)).any(|fault| fault.1 == "has too many tags"));
    assert!(!told(&"a, ".repeat(50)).any(|fault| fault.1 == "has too many tags"));
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
