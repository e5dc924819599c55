//! `bouncer token`: what an operator reads, from the real program and a token endpoint on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

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

/// A token endpoint that gives everybody the same answer, and keeps what it was sent.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    fn start(status: u16, answer: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (seen, body) = (Arc::clone(&asked), answer.to_string());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert!(reader.read_line(&mut head).unwrap() > 0, "cut off: {head}");
                }
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut form = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                reader.read_exact(&mut form).unwrap();
                seen.lock().unwrap().push(String::from_utf8(form).unwrap());
                write!(
                    stream,
                    "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        Self { url, asked }
    }

    /// A configuration whose entry `llm` asks here.
    fn configured(&self) -> (Files, Secrets) {
        let (files, secrets) = configured(&json!([{
            "name": "llm", "provider": "custom-llm", "auth_type": "oauth2", "credential_ref": "llm",
            "token_endpoint": self.url, "client_auth": "post", "scopes": ["llm:read", "llm:invoke"],
            "match": {"cluster": ["llm"]},
        }]));
        files.write_secret("llm", "client_id", "the-client");
        files.write_secret("llm", "client_secret", &new_key(&secrets));
        (files, secrets)
    }
}

#[test]
fn a_token_is_obtained_once_and_its_way_is_shown() {
    let access_token = "canary-access-token-of-the-endpoint";
    let answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 3_600, "scope": "llm:read",
    });
    let endpoint = Endpoint::start(200, &answer);
    let (files, secrets) = endpoint.configured();
    secrets.add(access_token);
    let (code, out, err) = token(&files, &secrets, "llm");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(line(&out, "provider"), Some("llm (custom, oauth2)"));
    assert_eq!(line(&out, "source"), Some("client_credentials"));
    assert_eq!(line(&out, "scopes"), Some("llm:read"));
    assert!(
        line(&out, "expires").is_some_and(|end| end.contains("(in 59m 5") || end.contains("(in 1h")),
        "{out}"
    );
    let leg = out.lines().find(|line| line.starts_with("token endpoint")).unwrap();
    let origin = endpoint.url.trim_end_matches("/token");
    assert!(leg.contains(&format!(" {origin} ")) && leg.ends_with("ok"), "{leg}");
    let asked = endpoint.asked.lock().unwrap();
    assert_eq!(asked.len(), 1, "one exchange");
    assert!(asked[0].contains("grant_type=client_credentials") && asked[0].contains("client_id=the-client"));
}

#[test]
fn a_refusal_exits_1_and_names_the_leg_the_fault_and_the_change() {
    let answer = json!({"error": "invalid_client", "error_description": "no such\u{1b}[2J client"});
    let endpoint = Endpoint::start(401, &answer);
    let (files, secrets) = endpoint.configured();
    let (code, out, _) = token(&files, &secrets, "llm");
    assert_eq!(code, 1, "{out}");
    assert!(line(&out, "failed").is_some_and(|why| why.contains("invalid_client (status 401)")), "{out}");
    assert_eq!(line(&out, "fault of"), Some("the operator"));
    assert!(line(&out, "change").is_some_and(|what| what.starts_with("the secret \"llm\"")), "{out}");
    let leg = out.lines().find(|line| line.starts_with("token endpoint")).unwrap();
    assert!(leg.ends_with("FAILED") && !out.contains('\u{1b}'), "{out}");
}

#[test]
fn an_endpoint_that_is_not_there_is_the_fault_of_the_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    let endpoint = Endpoint { url, asked: Arc::default() };
    let (files, secrets) = endpoint.configured();
    let (code, out, _) = token(&files, &secrets, "llm");
    assert_eq!(code, 1, "{out}");
    assert_eq!(line(&out, "fault of"), Some("the identity provider, or the way to it"));
    assert!(line(&out, "change").is_some_and(|what| what.starts_with("the way there")), "{out}");
}
