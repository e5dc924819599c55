//! `bouncer token`: what an operator reads, from the real program and a token endpoint on this machine.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Files, Secrets, entry, new_key};

/// Exit code, stdout and stderr; none of them has a secret.
fn token(files: &Files, secrets: &Secrets, provider: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_bouncer"))
        .args(["token", provider, "--config", "bouncer.yaml"])
        .current_dir(files.path("."))
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    secrets.check("stdout", &out);
    secrets.check("stderr", &err);
    (status.code().unwrap(), out, err)
}

fn configured(providers: &Value) -> (Files, Secrets) {
    let (files, secrets) = (Files::new(), Secrets::default());
    let config = json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "callers": {"mtls": {"trust_domains": ["mesh.example"]}},
        "providers": providers,
    });
    files.write("bouncer.yaml", &config.to_string());
    (files, secrets)
}

/// The value of the line that begins with `name`.
fn line<'a>(out: &'a str, name: &str) -> Option<&'a str> {
    out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  ")).map(str::trim)
}

#[test]
fn a_static_key_has_a_fingerprint_and_an_end() {
    let (files, secrets) = configured(&json!([entry("openai", "openai")]));
    files.write_secret("openai", "api_key", &new_key(&secrets));
    files.write_secret("openai", "expires_at", "2199-01-01T00:00:00Z");
    let (code, out, err) = token(&files, &secrets, "openai");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(line(&out, "provider"), Some("openai (openai, api_key)"));
    assert!(line(&out, "expires").is_some_and(|end| end.starts_with("2199-01-01T00:00:00Z (in ")), "{out}");
    assert!(line(&out, "fingerprint").is_some_and(|id| id.len() > 16), "{out}");
}

#[test]
fn a_secret_that_is_not_there_exits_1_and_says_what_to_change() {
    let (files, secrets) = configured(&json!([entry("openai", "openai")]));
    let (code, out, _) = token(&files, &secrets, "openai");
    assert_eq!(code, 1, "{out}");
    assert_eq!(line(&out, "fault of"), Some("the operator"));
    assert!(line(&out, "failed").is_some_and(|why| why.contains("is not there")), "{out}");
    assert!(line(&out, "change").is_some(), "{out}");
}

#[test]
fn a_provider_that_is_not_known_exits_1_and_names_the_known_ones() {
    let (files, secrets) = configured(&json!([entry("openai", "openai"), entry("azure", "azure-openai")]));
    let (code, out, err) = token(&files, &secrets, "opnai");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("\"opnai\"") && err.contains("openai, azure"), "{err}");
}

#[test]
fn a_configuration_with_faults_exits_1_and_shows_them() {
    let (files, secrets) = configured(&json!([{"provider": "openai"}]));
    let (code, out, err) = token(&files, &secrets, "openai");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("auth_type"), "{err}");
}
