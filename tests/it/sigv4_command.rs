//! `bouncer sigv4 explain`: the real program, its exit codes, and what it reads.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::Files;

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m:0/converse";

/// Exit code, stdout and stderr.
fn explain(files: &Files, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bouncer"))
        .args(["sigv4", "explain"])
        .args(args)
        .current_dir(files.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends with a usage error reads nothing.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!out.contains("canary") && !err.contains("canary"), "{out}{err}");
    (output.status.code().unwrap(), out, err)
}

fn request() -> String {
    let headers = json!({"content-type": "application/json", "x-amz-security-token": "canary"});
    json!({"method": "POST", "url": URL, "headers": headers, "body": "{}"}).to_string()
}

#[test]
fn a_request_from_standard_input_is_explained_without_colour() {
    let files = Files::new();
    let (code, out, err) = explain(&files, &["--request", "-"], &request());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("  path            /model/m%3A0/converse\n"), "{out}");
    assert!(out.contains("x-amz-security-token:<redacted, 6 bytes>") && !out.contains('\x1b'), "{out}");
}

#[test]
fn an_answer_that_differs_exits_1_and_a_curl_command_is_taken() {
    let files = Files::new();
    files.write("body.json", "{}");
    let answer = include_str!("../fixtures/sigv4/body-changed/answer.txt");
    let curl = format!("curl {URL} --json @body.json -H 'authorization: canary'");
    let (code, out, err) = explain(&files, &["--curl", &curl, "--answer", "-"], answer);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(
        out.contains("differs first in path: line 2") && out.contains("differs too: payload hash"),
        "{out}"
    );
}

#[test]
fn bad_input_exits_1_and_bad_usage_2() {
    let files = Files::new();
    files.write("request.json", "{\"method\": \"POST\",\n \"canary\"}");
    files.write(
        "bouncer.yaml",
        "listen: {grpc: \"127.0.0.1:0\"}\ncallers: {mtls: {trust_domains: [mesh.example]}}\n",
    );
    let curl = format!("curl {URL}");
    for (args, code, expected) in [
        (&["--request", "request.json"][..], 1, "request.json: line 2, column"),
        (&["--request", "missing.json"], 1, "missing.json: "),
        (&["--curl", "wget x"], 1, "--curl: the line does not begin with curl"),
        (&["--curl", "curl https://gateway.internal/"], 1, "the region is not known"),
        (&["--curl", &curl, "--region", "eu-west-1"], 1, "the host is in another region"),
        (&["--curl", &curl, "--provider", "x", "--config", "bouncer.yaml"], 1, "there is no provider \"x\""),
        (&["--request", "-", "--answer", "-"], 2, "cannot both be standard input"),
        (&["--curl", &curl, "--request", "-"], 2, "cannot be used with"),
        (&["--curl", &curl, "--time", "now"], 2, "20260101T000000Z"),
        (&[], 2, "--request"),
    ] {
        let (ended, out, err) = explain(&files, args, "");
        assert_eq!((ended, out.as_str()), (code, ""), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}

#[test]
fn an_entry_says_host_and_region_of_a_request_to_the_gateway() {
    let files = Files::new();
    let config = json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "callers": {"mtls": {"trust_domains": ["mesh.example"]}},
        "providers": [{
            "name": "bedrock", "provider": "bedrock", "auth_type": "aws_sigv4", "credential_ref": "bedrock",
            "aws": {"region": "eu-central-1"}, "match": {"cluster": ["bedrock"]},
        }],
    });
    files.write("bouncer.yaml", &config.to_string());
    let args = ["--provider", "bedrock", "--config", "bouncer.yaml", "--time", "20260101T000000Z"];
    let curl = "curl http://gateway.internal:10000/model/m:0/converse --json '{}'";
    let (code, out, err) = explain(&files, &[&args[..], &["--curl", curl]].concat(), "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("bedrock-runtime.eu-central-1.amazonaws.com  the region's own endpoint"), "{out}");
    assert!(out.contains("aws.region of the entry\n"), "{out}");
    assert!(out.contains("20260101/eu-central-1/bedrock/aws4_request\n"), "{out}");
}
