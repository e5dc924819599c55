//! `aws_sigv4`: the documentation's second entry, and what each key becomes.

use std::path::Path;
use std::time::Duration;

use super::{BEDROCK, faults, read, read_in, texts, token};
use crate::cache::{Policy, RefreshPolicy};
use crate::config::environment::Environment;
use crate::config::read::load_in;
use crate::config::{CredentialSettings, Feedback, ProviderEntry};
use crate::credential::{BEDROCK_RUNTIME, SigningSettings};
use crate::provider::{ApiKeyPlacement, AuthType, ProviderKind};
use crate::token::{AwsSettings, ClientTls, Grant, Role, TokenSettings};

pub(super) fn aws(entry: &ProviderEntry) -> &AwsSettings {
    let Grant::Aws(aws) = &token(entry).grant else { panic!("AWS") };
    aws
}

/// Faults of a bedrock entry with this section `aws`, beside and without a secret.
pub(super) fn faults_with(aws: &str) -> Vec<(String, String)> {
    faults_of(&format!("provider: bedrock\nauth_type: aws_sigv4\ncredential_ref: a\naws: {aws}"))
}

pub(super) fn faults_of(entry: &str) -> Vec<(String, String)> {
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
            name: "bedrock".to_owned(),
            signing: SigningSettings {
                entry: "bedrock".into(),
                endpoint_prefix: Some(BEDROCK_RUNTIME),
                ..SigningSettings::default()
            },
            sts_endpoint: None,
            roles: vec![],
            web_identity: None,
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
                entry: "full".into(),
                region: Some("us-east-1".to_owned()),
                ambient_region: None,
                service: Some("bedrock".to_owned()),
                host: Some("vpce-0123-abcd.bedrock-runtime.us-east-1.vpce.amazonaws.com".to_owned()),
                endpoint_prefix: Some(BEDROCK_RUNTIME),
            },
            name: "full".to_owned(),
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
            web_identity: None,
        }),
        policy: Policy { refresh: RefreshPolicy::Proactive, margin: Duration::from_secs(600) },
        tls: ClientTls { ca: Some(folder.join("sts-ca.crt")), identity: None },
    };
    assert_eq!(token(full), &expected);
    let custom = aws(named("custom-service"));
    assert_eq!(custom.signing.host.as_deref(), Some("llm.example.com:8443"));
    assert_eq!((custom.name.as_str(), custom.signing.endpoint_prefix), ("custom-service", None));
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
    assert_eq!(said.signing.region, None);
    // A secret may say no more than a role to assume: whose keys do it, the environment says.
    let with_secret = entry("\ncredential_ref: a", "eu-west-1").unwrap();
    assert!(said.web_identity.is_some() && with_secret.web_identity == said.web_identity);
    let fault = entry("", "https://secret-value.example").unwrap_err().remove(0);
    assert_eq!(fault.what, "$AWS_REGION is not the name of a region");
    assert_eq!(fault.path, "providers[0].aws.region");
    let own = entry("\naws: {region: us-east-1}", "https://secret-value.example").unwrap();
    assert_eq!(own.signing.ambient_region, None);
}

#[test]
fn the_environments_sts_is_for_who_names_none_and_has_to_be_a_url_of_sts() {
    let entry = |rest: &str, endpoint: &'static str| {
        let text = format!("provider: bedrock\nauth_type: aws_sigv4{rest}");
        let environment =
            Environment::from(move |name| (name == "AWS_ENDPOINT_URL_STS").then(|| endpoint.into()));
        read_in(&text, environment)
            .map(|mut config| aws(&config.providers.remove(0)).sts_endpoint.as_ref().map(url::Url::to_string))
    };
    assert_eq!(entry("", "http://127.0.0.1:5000"), Ok(Some("http://127.0.0.1:5000/".to_owned())));
    assert_eq!(entry("", ""), Ok(None));
    let own = "\naws: {sts_endpoint: https://sts.example}";
    assert_eq!(entry(own, "http://sts.secret-value"), Ok(Some("https://sts.example/".to_owned())));
    for (wrong, what) in [
        ("http://sts.secret-value", "$AWS_ENDPOINT_URL_STS is no such URL"),
        ("sts.secret-value", "$AWS_ENDPOINT_URL_STS is no such URL"),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "$AWS_ENDPOINT_URL_STS is another service of AWS",
        ),
    ] {
        let fault = entry("", wrong).unwrap_err().remove(0);
        assert_eq!((fault.path.as_str(), fault.what.as_ref()), ("providers[0].aws.sts_endpoint", what));
    }
}

#[test]
fn the_beginning_of_a_host_is_not_taken_for_the_name_of_its_service() {
    for (service, name) in [
        ("bedrock-runtime", Some("bedrock")),
        ("bedrock-data-automation", Some("bedrock")),
        ("bedrock-agentcore-control", Some("bedrock-agentcore")),
        ("bedrock", None),
        ("bedrock-mantle", None),
        ("execute-api", None),
        ("lambda", None),
    ] {
        let told = name.map(|name| format!("is how its hosts begin, and its name in a signature is {name}"));
        let found = faults_with(&format!("{{service: {service}}}")).into_iter().map(|(_, what)| what).next();
        assert_eq!(found, told, "{service}");
    }
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
fn a_host_has_one_spelling_that_every_reader_reads_alike() {
    let told = |host: &str| faults_with(&format!("{{host: {host:?}}}"));
    for right in ["localhost", "llm.example.com", "my_llm:65535", "127.0.0.1:5000", "[::1]:5000", "[::1]"] {
        assert_eq!(told(right), [], "{right}");
    }
    for wrong in [
        "",
        "llm!.example.com",
        "-llm.example.com",
        "llm.example.com.",
        "llm.example.com:",
        "llm.example.com:0443",
        "llm.example.com:65536",
        "LLM.example.com",
        "llm.exämple.com",
        "user@llm.example.com",
        "llm.example.com\n",
        "127.1",
        "0x7f.0.0.1",
        "::1",
        "[::1",
        "[::01]",
    ] {
        assert_eq!(
            told(wrong),
            [("providers[0].aws.host".to_owned(), "is not a host".to_owned())],
            "{wrong}"
        );
    }
}
