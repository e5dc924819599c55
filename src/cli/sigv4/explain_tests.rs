//! Tests of `explain.rs`: the cases of `tests/fixtures/sigv4`, a folder each, and what never stands in a report.

use std::fs;
use std::path::PathBuf;

use clap::Parser as _;

use super::super::Command;
use super::*;
use crate::cache::Policy;
use crate::cli::Cli;
use crate::token::{AwsSettings, ClientTls, TokenSettings};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sigv4");
    let mut cases: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 30, "the fixtures are there");
    cases
}

fn args(case: &Path) -> ExplainArgs {
    let mut line = vec!["bouncer".to_owned(), "sigv4".to_owned(), "explain".to_owned()];
    if let Ok(curl) = fs::read_to_string(case.join("curl.txt")) {
        line.extend(["--curl".to_owned(), curl]);
    }
    for (flag, file) in [("--request", "request.json"), ("--answer", "answer.txt")] {
        if case.join(file).exists() {
            line.extend([flag.to_owned(), case.join(file).display().to_string()]);
        }
    }
    let more = fs::read_to_string(case.join("args.txt")).unwrap_or_default();
    line.extend(more.split_whitespace().map(str::to_owned));
    parsed(&line)
}

fn parsed(line: &[String]) -> ExplainArgs {
    match Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).command {
        crate::cli::Command::Sigv4 { command: Command::Explain(args) } => *args,
        _ => panic!("another command"),
    }
}

fn report(case: &Path) -> Report {
    let now = Now { unix: UnixTime(1_767_225_600), ..SystemClock.now() };
    explained(&args(case), now).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

#[test]
fn every_case_is_explained_as_expected() {
    let mut wrong = Vec::new();
    for case in cases() {
        let report = report(&case);
        let text = format!("{}exit {}\n", report.text(Ink::Plain), if report.is_fine() { 0 } else { 1 });
        assert!(
            fs::read_to_string(case.join("why.txt")).is_ok_and(|why| !why.trim().is_empty()),
            "{}",
            case.display()
        );
        if fs::read_to_string(case.join("expected.txt")).unwrap_or_default() != text {
            wrong.push(format!("{}\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_secret_of_a_case_is_shown() {
    let mut hidden = 0;
    for case in cases() {
        let given: String = ["request.json", "curl.txt", "answer.txt"]
            .iter()
            .filter_map(|name| fs::read_to_string(case.join(name)).ok())
            .collect();
        hidden += usize::from(given.to_lowercase().contains("canary"));
        let text = report(&case).text(Ink::Colour).to_lowercase();
        assert!(!text.contains("canary"), "{}\n{text}", case.display());
    }
    assert!(hidden > 20);
}

#[test]
fn colour_is_the_only_thing_that_a_terminal_gets_more() {
    for case in cases() {
        let report = report(&case);
        let mut coloured = report.text(Ink::Colour);
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[31m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(coloured, report.text(Ink::Plain));
    }
}

#[test]
fn an_entry_gives_its_own_settings_and_one_that_does_not_sign_is_refused() {
    let text = "listen: {grpc: \"127.0.0.1:0\"}\ncallers: {mtls: {trust_domains: [mesh.example]}}\nproviders:\n\
                - {name: gpt, provider: openai, auth_type: api_key, credential_ref: k, match: {cluster: [gpt]}}\n";
    let mut config = config::from_text(Path::new("bouncer.yaml"), text).unwrap();
    let refused = |config: &Config, name: &str| of_entry(config, name).unwrap_err().to_string();
    assert_eq!(refused(&config, "x"), "there is no provider \"x\"; providers are: gpt");
    assert!(refused(&config, "gpt").contains("does not sign"));
    let signing = SigningSettings { region: Some("eu-west-1".to_owned()), ..SigningSettings::default() };
    config.providers[0].credential = CredentialSettings::Token(Box::new(TokenSettings {
        secret: None,
        grant: Grant::Aws(AwsSettings {
            name: "bedrock".to_owned(),
            signing: signing.clone(),
            sts_endpoint: None,
            roles: Vec::new(),
            web_identity: None,
        }),
        policy: Policy::default(),
        tls: ClientTls::default(),
    }));
    assert_eq!(of_entry(&config, "gpt").unwrap(), signing);
}

#[test]
fn the_sample_in_readme_is_what_is_printed() {
    let expected = include_str!("../../../tests/fixtures/sigv4/host/expected.txt");
    let (_, verdict) = expected.split_once("\nanswer of AWS\n").unwrap();
    let sample = format!("```text\nanswer of AWS\n{}```\n", verdict.trim_end_matches("exit 1\n"));
    assert!(include_str!("../../../README.md").contains(&sample), "{sample}");
}
