//! The command line: what is printed where, and how it exits.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Files, entry};

fn run(files: &Files, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_bouncer"))
        .args(arguments)
        .current_dir(files.path("."))
        .env_remove("BOUNCER_CONFIG")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn good() -> Value {
    json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "callers": {"jwt": [{"issuer": "https://idp.example", "audiences": ["llm"]}]},
        "providers": [entry("openai", "openai")],
    })
}

#[test]
fn check_of_a_good_file_exits_0_and_names_what_is_missing_as_a_warning() {
    let files = Files::new();
    files.write("bouncer.yaml", &good().to_string());
    files.write_secret("openai", "api_key", "sk-of-the-check-1234");
    let (code, out, _) = run(&files, &["check", "--config", "bouncer.yaml"]);
    assert_eq!((code, out.trim()), (0, "no faults"));
    let (code, out, _) = run(&files, &["check", "--config", "bouncer.yaml", "--format", "json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()), (0, json!([])));

    files.write_secret("openai", "api_key", "sk of the check\n");
    let (code, out, err) = run(&files, &["check", "--config", "bouncer.yaml"]);
    assert_eq!(code, 0);
    assert!(out.contains("warning") && out.contains("openai") && out.contains("1 warning"), "{out}");
    assert!(!out.contains("sk of") && !err.contains("sk of"));
}

#[test]
fn check_of_a_bad_file_exits_1_and_tells_every_fault_with_its_place() {
    let files = Files::new();
    files.write(
        "bouncer.yaml",
        "listen:\n  grpc: nonsense\ncallers:\n  jwt:\n    - issuer: http://idp.example\n      audiences: [llm]\n\
         providers:\n  - provider: openai\n    auth_type: aws_sigv4\n    credential_ref: openai\nunknown: 1\n",
    );
    let (code, out, _) = run(&files, &["check", "--config", "bouncer.yaml"]);
    assert_eq!(code, 1);
    for place in ["bouncer.yaml:2:9:", "bouncer.yaml:5:", "bouncer.yaml:9:", "bouncer.yaml:11:1:"] {
        assert!(out.contains(place), "{place} in\n{out}");
    }
    assert!(out.contains("allowed:"), "{out}");
    let (code, out, _) = run(&files, &["check", "--config", "bouncer.yaml", "--format", "json"]);
    assert_eq!(code, 1);
    let faults: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert!(faults.len() >= 4);
    for fault in &faults {
        assert_eq!(fault["severity"], "fault");
        assert!(fault["line"].is_u64() && fault["column"].is_u64() && fault["what"].is_string(), "{fault}");
        assert!(fault["file"].as_str().unwrap().ends_with("bouncer.yaml"));
    }
}

#[test]
fn check_of_no_file_or_no_yaml_exits_1() {
    let files = Files::new();
    let (code, out, _) = run(&files, &["check", "--config", "nowhere.yaml"]);
    assert!(code == 1 && out.contains("nowhere.yaml"), "{code} {out}");
    for text in ["", "listen: [", "- 1", "a: 1\na: 2", "\u{0}", "listen: {grpc: *nobody}"] {
        files.write("bouncer.yaml", text);
        let (code, out, _) = run(&files, &["check", "--config", "bouncer.yaml"]);
        assert!(code == 1 && out.contains("bouncer.yaml") && out.contains("fault"), "{text:?}: {code} {out}");
    }
}

#[test]
fn the_environment_names_the_file_where_no_argument_does() {
    let files = Files::new();
    files.write("bouncer.yaml", "listen: [");
    let output = Command::new(env!("CARGO_BIN_EXE_bouncer"))
        .arg("check")
        .env("BOUNCER_CONFIG", files.path("bouncer.yaml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("bouncer.yaml:1:"));
}

#[test]
fn serve_of_a_bad_file_exits_1_and_logs_every_fault() {
    let files = Files::new();
    files.write("bouncer.yaml", "listen:\n  grpc: nonsense\nunknown: 1\n");
    let (code, out, err) = run(&files, &["serve", "--config", "bouncer.yaml"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("bouncer.yaml:2:9") && err.contains("bouncer.yaml:3:1"), "{err}");
}

#[test]
fn the_schema_is_a_document_of_2020_12() {
    let (code, out, _) = run(&Files::new(), &["schema"]);
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, schema["$schema"].as_str()), (0, Some("https://json-schema.org/draft/2020-12/schema")));
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&good()));
    assert!(!validator.is_valid(&json!({"listen": {"grpc": "127.0.0.1:0"}, "unknown": 1})));
}

#[test]
fn usage_errors_exit_2_and_help_and_version_0() {
    let files = Files::new();
    for wrong in [
        [].as_slice(),
        &["nonsense"],
        &["check", "--format", "xml"],
        &["serve", "extra"],
        &["schema", "--config", "x"],
        &["completions", "nosuchshell"],
    ] {
        let (code, out, err) = run(&files, wrong);
        assert!(code == 2 && out.is_empty() && !err.is_empty(), "{wrong:?}: {code} {out}");
    }
    for right in [["--help"].as_slice(), &["--version"], &["serve", "--help"], &["completions", "bash"]] {
        let (code, out, _) = run(&files, right);
        assert!(code == 0 && !out.is_empty(), "{right:?}: {code}");
    }
}
