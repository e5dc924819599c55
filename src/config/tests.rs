//! Whole documents: the cases of `tests/fixtures/config`, and what no text may do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::{Fault, Severity};
use crate::identity::CertificateSource;
use crate::provider::{AuthType, ProviderKind};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fixtures().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 20, "the fixtures are there");
    cases
}

fn outcome(case: &Path) -> (Option<Config>, String) {
    let loaded = read::load_in(&case.join("bouncer.yaml"), environment::Environment::default());
    let (config, faults) = match loaded {
        Ok(config) => {
            let warnings = config.warnings.clone();
            (Some(config), warnings)
        }
        Err(faults) => (None, faults),
    };
    (config, report::text(&faults).replace(&format!("{}/", case.display()), ""))
}

fn named(name: &str) -> Config {
    let (config, text) = outcome(&fixtures().join(name));
    config.unwrap_or_else(|| panic!("{text}"))
}

fn faults_of(text: &str) -> Vec<Fault> {
    from_text(Path::new("bouncer.yaml"), text).expect_err("a fault")
}

#[test]
fn every_case_reports_what_it_expects() {
    for case in cases() {
        let (_, text) = outcome(&case);
        let expected = fs::read_to_string(case.join("expected.txt")).unwrap_or_default();
        assert!(
            fs::read_to_string(case.join("why.txt")).is_ok_and(|why| !why.trim().is_empty()),
            "{}",
            case.display()
        );
        assert_eq!(text, expected, "{}", case.display());
    }
}
#[test]
fn ten_different_faults_are_told_with_their_places_in_one_go() {
    let (config, text) = outcome(&fixtures().join("ten-faults"));
    assert!(config.is_none());
    let places = ["2:10", "3:19", "6:15", "7:7", "9:27", "10:15", "13:16", "15:5", "15:15", "17:19", "19:16"];
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("bouncer.yaml:")).collect();
    assert_eq!(told.len(), places.len(), "{text}");
    for (line, place) in told.iter().zip(places) {
        assert!(line.starts_with(&format!("{place}: ")), "{line}");
    }
}

#[test]
fn no_value_of_a_case_is_repeated_where_it_could_be_a_secret() {
    for case in cases() {
        let faults = match load(&case.join("bouncer.yaml")) {
            Ok(config) => config.warnings,
            Err(faults) => faults,
        };
        let all = format!("{}{:?}{}", report::text(&faults), faults, report::json(&faults)).to_lowercase();
        assert!(!all.contains("secret-value") && !all.contains("0123456789abcdef"), "{}", case.display());
    }
}

#[test]
fn the_schema_takes_every_document_that_is_right_and_those_of_later_versions() {
    let mut seen = 0;
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        if !["good-", "warn-", "interface-"].iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let folder =
            case.join("providers.d").read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
        let entries =
            folder.filter(|path| !path.ends_with(".hidden.yaml")).map(|path| (schema::Form::Entry, path));
        for (form, path) in entries.chain([(schema::Form::Document, case.join("bouncer.yaml"))]) {
            let (root, broken) = tree::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            let errors: Vec<String> = form
                .validator()
                .unwrap()
                .iter_errors(&root.to_json())
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty() && broken.is_empty(), "{}: {errors:?}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 8);
}

#[test]
fn the_schema_is_one_of_2020_12_and_helps_with_every_key() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let mut open = vec![(String::new(), &schema)];
    while let Some((path, node)) = open.pop() {
        if let Some(properties) = node["properties"].as_object() {
            assert_eq!(node["additionalProperties"], false, "{path}");
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{path}/{name} has no description");
            }
        }
        let members =
            node.as_object().into_iter().flatten().map(|(key, node)| (format!("{path}/{key}"), node));
        open.extend(members);
    }
}

#[test]
fn a_complete_document_becomes_what_it_says() {
    let config = named("good-complete");
    let folder = fixtures().join("good-complete");
    assert_eq!(
        config.listen.grpc,
        [
            ListenAddress::Tcp("127.0.0.1:9002".parse().unwrap()),
            ListenAddress::Unix(folder.join("run/grpc.sock"))
        ]
    );
    let tls = config.listen.tls.unwrap();
    assert_eq!(
        (tls.certificate, tls.client_ca),
        (folder.join("tls/tls.crt"), Some(folder.join("tls/ca.crt")))
    );
    assert_eq!(config.listen.shutdown_grace, Duration::from_secs(90));
    assert_eq!(config.admin.unwrap().listen, "127.0.0.1:9998".parse().unwrap());
    assert_eq!(config.callers.jwt.len(), 2);
    assert_eq!(config.callers.jwt[0].algorithms.len(), 2);
    assert_eq!(config.callers.jwt[1].algorithms.len(), 9);
    assert_eq!(config.callers.jwt[1].token_from, ["authorization", "x-api-key", "api-key", "x-goog-api-key"]);
    assert_eq!(config.callers.jwt[1].leeway, Duration::from_secs(30));
    assert_eq!(config.callers.mtls.unwrap().from, CertificateSource::Xfcc);
    assert_eq!((config.callers.max_token, config.callers.verified_tokens), (8 << 10, 1000));
    let names: Vec<&str> = config.providers.iter().map(|entry| &*entry.provider.name).collect();
    assert_eq!(names, ["anthropic", "custom-openai", "openai", "azure-key", "custom-vllm"]);
    let azure = &config.providers[3];
    assert_eq!((azure.provider.kind, azure.provider.auth), (ProviderKind::AzureOpenAi, AuthType::ApiKey));
    let rule = azure.provider.mfa.clone().unwrap();
    assert_eq!((rule.amr, rule.acr_values), (vec![], vec!["phr".to_owned()]));
    assert_eq!(rule.max_age, Some(Duration::from_secs(900)));
    let CredentialSettings::ApiKey { credential_ref, placement } = &config.providers[4].credential else {
        panic!("an API key")
    };
    assert_eq!(
        (credential_ref.as_str(), placement.header.as_str(), placement.prefix.as_str()),
        ("vllm", "x-vllm-key", "")
    );
    assert_eq!(config.store.root, folder.join("secrets"));
    assert_eq!(config.on_no_provider, OnNoProvider::Pass);
    assert_eq!((config.limits.max_body, config.limits.max_streams), (32 << 20, 100));
    assert_eq!((config.limits.max_peer_connections, config.limits.max_waiting), (5, 400));
    assert_eq!(config.limits.max_active, 5_000);
    assert_eq!(config.limits.patience, Duration::from_millis(300));
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = named("good-minimal");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.on_no_provider, OnNoProvider::Deny);
    assert_eq!(config.listen.shutdown_grace, Duration::from_secs(30));
    assert!(config.admin.is_none() && config.callers.mtls.is_none() && config.providers_dir.is_none());
    assert!(config.providers[0].provider.mfa.is_none() && config.warnings.is_empty());
}

#[test]
fn the_bound_of_all_bodies_has_room_for_the_largest_one() {
    let limits = |limits: &str| {
        let text = format!(
            "listen: {{grpc: 127.0.0.1:1}}\ncallers: {{mtls: {{trust_domains: [a]}}}}\nlimits: {limits}"
        );
        from_text(Path::new("b.yaml"), &text)
            .map(|config| config.limits)
            .map_err(|mut faults| faults.remove(0))
    };
    assert_eq!(limits("{max_body: 16MiB, body_memory: 16MiB}").unwrap().body_memory, 16 << 20);
    assert_eq!(limits("{body_memory: 64GiB}").unwrap().body_memory, 64 << 30);
    assert_eq!(limits("{max_body: 256MiB}").unwrap().body_memory, 256 << 20);
    // Each by itself is fine, and who says only one of them sees both.
    let fault = limits("{max_body: 257MiB}").unwrap_err();
    assert_eq!(fault.path, "limits.max_body");
    assert_eq!(fault.what, "body_memory is 256MiB, which has no room for one body of max_body, 257MiB");
    let fault = limits("{body_memory: 1MB}").unwrap_err();
    assert_eq!(fault.path, "limits.body_memory");
    assert_eq!(fault.what, "body_memory is 1MB, which has no room for one body of max_body, 16MiB");
    assert_eq!(limits("{body_memory: 65GiB}").unwrap_err().allowed.as_deref(), Some("at most 64GiB"));
    for one in ["{max_body: 1, body_memory: 1MiB}", "{body_memory: 0B}", "{body_memory: lots}"] {
        assert!(!limits(one).unwrap_err().what.contains("has no room"), "{one}");
    }
}

#[test]
fn an_mfa_rule_takes_from_above_what_it_does_not_say() {
    let text = "listen: {grpc: 127.0.0.1:1}\ncallers: {jwt: [{issuer: https://a.example, audiences: [a]}]}\n\
        mfa: {acr_values: [gold], max_age: 1h}\nproviders: [{provider: openai, auth_type: api_key, credential_ref: a, \
        mfa_required: true, mfa: {max_age: 5m}}]";
    let config = from_text(Path::new("b.yaml"), text).unwrap();
    let rule = config.providers[0].provider.mfa.clone().unwrap();
    assert_eq!((rule.amr, rule.acr_values), (vec!["mfa".to_owned()], vec!["gold".to_owned()]));
    assert_eq!(rule.max_age, Some(Duration::from_secs(300)));
}

#[test]
fn files_that_cannot_be_read_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bouncer.yaml");
    let what = |file: &Path| load(file).unwrap_err().remove(0).what;
    assert!(what(&file).ends_with("it is not there"));
    assert!(what(folder.path()).contains("cannot be read"));
    fs::write(&file, [b'a', 0xff]).unwrap();
    assert!(what(&file).ends_with("not UTF-8"));
    fs::write(&file, "#".repeat(tree::MAX_BYTES + 1)).unwrap();
    assert!(what(&file).ends_with("larger than 1 MiB"));
}

#[test]
fn a_text_without_its_form_is_a_fault_even_where_nothing_reads_its_meaning() {
    let text = "listen: {grpc: 127.0.0.1:1}\ncallers: {mtls: {trust_domains: [a]}}\nproviders: [{provider: openai, \
        auth_type: api_key, credential_ref: a, aws: {roles: [{arn: a, duration: soon}]}}]";
    let paths: Vec<String> = faults_of(text).into_iter().map(|fault| fault.path).collect();
    let role = "providers[0].aws.roles[0]";
    assert_eq!(paths, ["providers[0].aws".to_owned(), format!("{role}.arn"), format!("{role}.duration")]);
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(500_000), "a: ".repeat(1000), "- ".repeat(100_000), "{a: ".repeat(10_000)] {
        assert_eq!(faults_of(&text).len(), 1);
    }
}

#[test]
fn a_flood_of_faults_is_cut_but_stays_a_refusal() {
    let text: String = (0..20_000).map(|key| format!("k{key}: 1\n")).collect();
    let faults = faults_of(&text);
    assert_eq!(faults.len(), 1_001);
    assert_eq!(faults[0].severity, Severity::Fault);
}

#[test]
fn json_has_the_place_apart() {
    let faults = faults_of("listen: {grpc: x}\ncallers: {mtls: {trust_domains: [a]}}\n");
    let json: serde_json::Value = serde_json::from_str(&report::json(&faults)).unwrap();
    assert_eq!(json[0]["file"], "bouncer.yaml");
    assert_eq!(json[0]["line"], 1);
    assert_eq!(json[0]["column"], 16);
    assert_eq!(json[0]["severity"], "fault");
    assert_eq!(json[0]["path"], "listen.grpc");
}

fn never_panics(text: &str) {
    let file = Path::new("/nowhere/bouncer.yaml");
    let faults = match from_text(file, text) {
        Ok(config) => config.warnings,
        Err(faults) => {
            assert!(faults.iter().any(|fault| fault.severity == Severity::Fault));
            faults
        }
    };
    let _ = report::text_with(&faults, |_| Some(text.to_owned()));
    let _ = report::json(&faults);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        never_panics(&text);
    }

    #[test]
    fn no_text_of_yaml_signs_panics(text in "([a-c]|: |- |\n|  |\\[|\\]|\\{|\\}|, |\"|'|&a |\\*a|\\||>|#|\\?|%|!|é|0|\t){0,60}") {
        never_panics(&text);
    }

    #[test]
    fn no_damaged_document_panics(cut in any::<(prop::sample::Index, u8)>(), put in "[ -~\n]{0,6}") {
        let case = ["good-complete", "good-tokens"][usize::from(cut.1 % 2)];
        let mut text = fs::read_to_string(fixtures().join(case).join("bouncer.yaml")).unwrap();
        let at = cut.0.index(text.len());
        let end = (at + usize::from(cut.1 % 40)).min(text.len());
        text.replace_range(at..end, &put);
        never_panics(&text);
    }
}
