//! `bouncer loadtest`, against the real server and against servers that answer as none should.

mod stand_in;
mod words;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Certificates, Direct, Files, Process};
use stand_in::{Manner, StandIn};

/// A load that is over.
struct Done {
    code: i32,
    /// What it printed on both streams, in no order.
    text: String,
}

fn command(address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bouncer"));
    command.arg("loadtest").arg(address).args(arguments);
    command
}

/// Runs a load without warm-up, which most cases do not need.
fn load(address: &str, arguments: &[&str]) -> Done {
    let mut process = Process::start("loadtest", command(address, &["--warm-up", "0s"]).args(arguments));
    done(&mut process)
}

fn done(process: &mut Process) -> Done {
    let code = process.wait().code().unwrap();
    Done { code, text: process.text() }
}

/// The same with a JSON result.
fn measured(address: &str, arguments: &[&str]) -> (i32, Value) {
    let mut command = command(address, &["--warm-up", "0s", "--json"]);
    let output = command.args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let result = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
    (output.status.code().unwrap(), result)
}

/// A file with a good token of a caller's.
fn token_file(direct: &Direct, files: &Files) -> String {
    files.write("token", &format!("{}\n", direct.token()));
    path(&files.path("token"))
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn tcp(address: SocketAddr) -> String {
    address.to_string()
}

#[test]
fn both_protocols_are_spoken_over_tcp_and_a_unix_socket() {
    let (direct, files) = (Direct::start(), Files::new());
    let token = token_file(&direct, &files);
    let unix = format!("unix:{}", direct.bouncer.socket.display());
    for address in [tcp(direct.bouncer.grpc), unix] {
        for (protocol, whom) in [("ext_proc", "--cluster"), ("ext_authz", "--provider")] {
            let arguments =
                ["--protocol", protocol, whom, "openai", "--token-file", &token, "--requests", "500"];
            let (code, result) = measured(&address, &arguments);
            assert_eq!((code, &result["right"], &result["errors"]), (0, &json!(500), &json!(0)), "{address}");
            assert!(result["latency"].is_object() && result["rate_per_s"].as_f64().unwrap() > 0.0);
        }
    }
    for service in ["ext_proc", "ext_authz"] {
        let labels = [&*format!("service=\"{service}\""), "provider=\"openai\"", "decision=\"permit\""];
        // The first answer of each load comes before the load.
        assert!((direct.metric("bouncer_requests_total", &labels) - 1_002.0).abs() < 0.1);
    }
}

#[test]
fn tls_is_mutual_where_the_server_asks_for_it() {
    const ENVOY: &str = "spiffe://mesh.example/ns/gateway/sa/envoy";
    let certificates = Certificates::new();
    certificates.client("envoy", &[ENVOY]);
    certificates.client("other", &["spiffe://mesh.example/other"]);
    let folder = certificates.path();
    let direct = Direct::with(|config| {
        config["listen"]["tls"] = json!({
            "certificate": folder.join("server.pem"), "private_key": folder.join("server.key"),
            "client_ca": folder.join("ca.pem"), "allowed_peers": [ENVOY],
        });
    });
    let files = Files::new();
    let token = token_file(&direct, &files);
    let (address, file) = (tcp(direct.bouncer.grpc), |name: &str| path(&folder.join(name)));
    let ca = file("ca.pem");
    let usual = ["--cluster", "openai", "--token-file", &token, "--requests", "100"];
    let trusting = [&usual[..], &["--tls-ca", &ca, "--tls-server-name", "localhost"]].concat();
    let showing = |name: &str| (file(&format!("{name}.pem")), file(&format!("{name}.key")));
    let (certificate, key) = showing("envoy");
    let good =
        load(&address, &[&trusting[..], &["--tls-certificate", &certificate, "--tls-key", &key]].concat());
    assert_eq!(good.code, 0, "{}", good.text);
    let (certificate, key) = showing("other");
    let wrong =
        load(&address, &[&trusting[..], &["--tls-certificate", &certificate, "--tls-key", &key]].concat());
    assert!(wrong.code == 1 && wrong.text.contains("gRPC status 16"), "{}", wrong.text);
    for arguments in [&usual[..], &trusting, &[&usual[..], &["--tls-ca", &ca]].concat()] {
        let none = load(&address, arguments);
        assert!(none.code == 1 && none.text.contains("TLS"), "{}", none.text);
    }
}

#[test]
fn many_callers_are_vouched_for_by_the_key_set_that_is_served() {
    let direct = Direct::start();
    let arguments = [
        "--cluster",
        "openai",
        "--callers",
        "50",
        // Fewer than callers, so that none asks twice at once.
        "--streams",
        "10",
        "--requests",
        "500",
        "--warm-up",
        "0s",
        "--audience",
        "llm-gateway",
        "--wait",
        "60s",
        "--json",
    ];
    let mut load = Process::start("loadtest", &mut command(&tcp(direct.bouncer.grpc), &arguments));
    let issuer = load.wait_for("its issuer", |line| {
        let (_, rest) = line.split_once("iss ")?;
        Some(rest.split_once(',')?.0.to_owned())
    });
    load.wait_for("that it waits", |line| line.contains("waiting for the first right answer").then_some(()));
    direct.configure(|config| {
        let entry = json!({"issuer": issuer, "audiences": ["llm-gateway"]});
        config["callers"]["jwt"].as_array_mut().unwrap().push(entry);
    });
    direct.bouncer.reload();
    let done = done(&mut load);
    assert_eq!(done.code, 0, "{}", done.text);
    let of_it = format!("issuer=\"{issuer}\"");
    let verified = |result: &str| direct.metric("bouncer_jwt_verifications_total", &[&of_it, result]);
    let accepted = verified("result=\"accepted\"");
    assert!((accepted - 50.0).abs() < 0.1, "one verification for each caller, not {accepted}");
}

#[test]
fn a_caller_with_a_certificate_needs_no_token() {
    let direct = Direct::with(|config| {
        config["callers"]["mtls"] = json!({"from": "attributes", "trust_domains": ["mesh.example"]});
    });
    let address = tcp(direct.bouncer.grpc);
    let good = ["--cluster", "openai", "--peer-uri", "spiffe://mesh.example/ns/a/sa/b", "--requests", "100"];
    assert_eq!(load(&address, &good).code, 0);
    let other = ["--cluster", "openai", "--peer-uri", "spiffe://other.example/a", "--requests", "100"];
    assert_eq!(load(&address, &other).code, 1);
}

#[test]
fn a_refusal_is_right_where_it_is_expected_and_an_error_elsewhere() {
    let direct = Direct::start();
    let address = tcp(direct.bouncer.grpc);
    let anonymous = ["--cluster", "openai", "--anonymous", "--requests", "100"];
    let (code, result) = measured(&address, &[&anonymous[..], &["--expect", "401"]].concat());
    assert_eq!((code, &result["right"]), (0, &json!(100)));
    for expectation in ["permit", "403"] {
        let wrong = load(&address, &[&anonymous[..], &["--expect", expectation]].concat());
        assert!(wrong.code == 1 && wrong.text.contains("bouncer_missing_token"), "{}", wrong.text);
    }
}

#[test]
fn the_answers_headers_are_asked_about_as_with_feedback() {
    let (direct, files) =
        (Direct::with(|config| config["providers"][0]["feedback"] = json!("answer")), Files::new());
    let token = token_file(&direct, &files);
    let arguments =
        ["--cluster", "openai", "--token-file", &token, "--phases", "request,response", "--requests", "100"];
    let (code, result) = measured(&tcp(direct.bouncer.grpc), &arguments);
    assert_eq!((code, &result["right"]), (0, &json!(100)));
}

#[test]
fn a_body_is_shown_to_a_server_that_signs_it() {
    let prepare = |files: &Files| {
        files.write_secret("aws", "access_key_id", "AKIDEXAMPLE");
        files.write_secret("aws", "secret_access_key", "secret-of-the-load-test-1234");
    };
    let direct = Direct::begin(crate::support::Issuer::start(), prepare, |config| {
        config["providers"].as_array_mut().unwrap().push(json!({
            "name": "bedrock", "provider": "bedrock", "auth_type": "aws_sigv4", "credential_ref": "aws",
            "aws": {"region": "us-east-1", "service": "bedrock", "host": "bedrock-runtime.us-east-1.amazonaws.com"},
            "match": {"cluster": ["bedrock"]},
        }));
    });
    direct.bouncer.serves();
    let files = Files::new();
    let token = token_file(&direct, &files);
    for (protocol, whom) in [("ext_proc", "--cluster"), ("ext_authz", "--provider")] {
        let arguments = [
            "--protocol",
            protocol,
            whom,
            "bedrock",
            "--token-file",
            &token,
            "--body",
            "4KiB",
            "--requests",
            "100",
            "--path",
            "/model/a/converse",
            "--authority",
            "bedrock-runtime.us-east-1.amazonaws.com",
        ];
        let done = load(&tcp(direct.bouncer.grpc), &arguments);
        assert_eq!(done.code, 0, "{}", done.text);
    }
}

/// The first answer is a good one, what follows is not.
#[track_caller]
fn is_found(manner: Manner, kind: &str) -> Value {
    let server = StandIn::start(move |number| if number == 0 { Manner::Permit } else { manner });
    let files = Files::new();
    files.write("token", "head.claims.signature");
    let token = path(&files.path("token"));
    let arguments = ["--token-file", &token, "--requests", "20", "--streams", "4", "--timeout", "200ms"];
    let (code, result) = measured(&tcp(server.address), &arguments);
    assert_eq!((code, &result["right"], &result["errors"]), (1, &json!(0), &json!(20)), "{result}");
    let kinds = result["error_kinds"].to_string();
    assert!(kinds.contains(kind), "{kinds}");
    assert_eq!(result["missed_limits"][0]["limit"], "max_errors", "{result}");
    result
}

#[test]
fn answers_that_no_envoy_should_get_are_found() {
    is_found(Manner::NoCredential, "no credential is set");
    is_found(Manner::LeavesToken, "token stays on the request");
    is_found(Manner::EndsEarly, "ended with OK before the answer");
    is_found(Manner::Hangs, "no answer in");
    let failed = is_found(Manner::Fails("too%20many%20%1b[31m"), "too many");
    assert!(!failed.to_string().contains("\\u001b"), "a terminal would obey");
    is_found(Manner::HangsUp, "connection broken");
}

#[test]
fn what_is_wrong_with_the_first_answer_is_said_at_once() {
    for (manner, words) in [
        (Manner::NoCredential, "no credential is set"),
        (Manner::Hangs, "no answer in time"),
        (Manner::Fails("no"), "gRPC status 8"),
        (Manner::HangsUp, "connection broke"),
    ] {
        let server = StandIn::start(move |_| manner);
        let done = load(&tcp(server.address), &["--anonymous", "--timeout", "200ms", "--duration", "1h"]);
        assert!(done.code == 1 && done.text.contains(words), "{manner:?}: {}", done.text);
    }
}

#[test]
fn where_nobody_listens_it_says_what_was_tried() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [tcp(nobody), "unix:/nowhere/grpc.sock".to_owned()] {
        let done = load(&address, &["--anonymous", "--wait", "0s"]);
        assert!(done.code == 1 && done.text.contains(&address), "{}", done.text);
        assert!(done.text.contains("is the server running"), "{}", done.text);
    }
}

#[test]
fn limits_decide_the_exit_code() {
    let server =
        StandIn::start(|number| if number % 10 == 9 { Manner::NoCredential } else { Manner::Permit });
    let address = tcp(server.address);
    for (limits, code) in [
        (["--max-errors", "0"].as_slice(), 1),
        (&["--max-errors", "5"], 1),
        (&["--max-errors", "11%"], 0),
        (&["--max-errors", "20"], 0),
        (&["--max-errors", "20", "--max-p99", "1m"], 0),
        (&["--max-errors", "20", "--max-p99", "0ms"], 1),
        (&["--max-errors", "20", "--min-rate", "1"], 0),
        (&["--max-errors", "20", "--min-rate", "10000000"], 1),
    ] {
        let done = load(&address, &[&["--anonymous", "--requests", "100"], limits].concat());
        assert_eq!(done.code, code, "{limits:?}: {}", done.text);
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let server = StandIn::start(|_| Manner::Permit);
    let arguments = ["--anonymous", "--rate", "200", "--duration", "1s", "--threads", "2", "--max-p99", "1m"];
    let (code, result) = measured(&tcp(server.address), &arguments);
    assert_eq!((code, &result["right"]), (0, &json!(200)));
    let took = result["elapsed_s"].as_f64().unwrap();
    assert!((0.99..5.0).contains(&took), "{took}");
}

#[test]
fn ctrl_c_reports_what_was_measured() {
    let server = StandIn::start(|_| Manner::Permit);
    let arguments = ["--anonymous", "--warm-up", "0s", "--duration", "1h", "--rate", "100", "--json"];
    let mut load = Process::start("loadtest", &mut command(&tcp(server.address), &arguments));
    // Progress is shown on a terminal only, so that the server is the one to ask.
    server.wait_for(50);
    load.signal(Signal::INT);
    let done = done(&mut load);
    let result: Value =
        serde_json::from_str(&done.text).unwrap_or_else(|error| panic!("{error}: {}", done.text));
    assert!(done.code == 0 && result["right"].as_u64().unwrap() >= 40, "{}", done.text);
}

#[test]
fn the_report_is_one_file_and_the_servers_process_is_in_it() {
    let (direct, files) = (Direct::start(), Files::new());
    let token = token_file(&direct, &files);
    let (report, pid) = (path(&files.path("report.html")), direct.bouncer.process.id().to_string());
    let arguments = [
        "--cluster",
        "openai",
        "--token-file",
        &token,
        "--requests",
        "500",
        "--report",
        &report,
        "--pid",
        &pid,
    ];
    let (code, result) = measured(&tcp(direct.bouncer.grpc), &arguments);
    assert_eq!(code, 0);
    assert!(
        result["server"]["cpu_us_per_request"].as_f64().is_some_and(|cpu| cpu > 0.0),
        "{}",
        result["server"]
    );
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<svg"), "{}", &html[..200]);
    direct.secrets.check("the report", &html);
    direct.secrets.check("the result", &result.to_string());
    let nowhere = load(&tcp(direct.bouncer.grpc), &["--anonymous", "--expect", "401", "--pid", "4194304"]);
    assert!(nowhere.code == 1 && nowhere.text.contains("--pid"), "{}", nowhere.text);
}

#[test]
fn wrong_usage_exits_2() {
    for wrong in [
        ["localhost"].as_slice(),
        &["127.0.0.1:1", "--duration", "10"],
        &["127.0.0.1:1", "--duration", "1s", "--requests", "5"],
        &["127.0.0.1:1", "--rate", "0"],
        &["127.0.0.1:1", "--expect", "maybe"],
        &["127.0.0.1:1", "--tls-certificate", "a.pem"],
        &["127.0.0.1:1", "--anonymous", "--callers", "2"],
        &["127.0.0.1:1", "--token-file", "a", "--key", "b"],
        &["127.0.0.1:1", "--max-errors", "-1"],
        &["127.0.0.1:1", "--threads", "3", "--connections", "2"],
        &["127.0.0.1:1", "--connections", "3", "--streams", "2"],
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_bouncer")).arg("loadtest").args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
