//! `bouncer sigv4 explain` beside a real 403: what the operator is told of a request that Envoy changed, and of a secret
//! that is wrong.

use std::process::Command;

use serde_json::json;

use super::placements::PROMPT;
use super::wiring::converse;
use super::{VERSIONS, virtual_hosts};
use crate::support::aws::{AccessKey, SigningSetup, SigningWorld};
use crate::support::{Answer, Placement, Request};

/// Exit code and what was printed of a request to the gateway and of AWS's answer to it.
fn explain(world: &SigningWorld, path: &str, body: &str, answer: &Answer) -> (i32, String) {
    let headers = json!({"host": "bedrock.llm.example", "content-type": "application/json"});
    let url = format!("https://bedrock.llm.example{path}");
    let request = json!({"method": "POST", "url": url, "headers": headers, "body": body});
    let files = world.bouncer.files();
    files.write("request.json", &request.to_string());
    files.write("answer.txt", &answer.text());
    let output = Command::new(env!("CARGO_BIN_EXE_bouncer"))
        .args(["sigv4", "explain", "--request", "request.json", "--answer", "answer.txt"])
        .args(["--provider", "bedrock", "--config", "bouncer.yaml"])
        .current_dir(files.path("."))
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    world.secrets.check("what is explained", &out);
    assert_eq!(err, "", "{out}");
    (output.status.code().unwrap(), out)
}

#[test]
fn a_403_of_aws_is_explained_by_the_line_that_differs() {
    for version in VERSIONS {
        let setup = SigningSetup::new(Placement::Downstream, version);
        let key = setup.key.clone();
        let setup = SigningSetup {
            configure: Box::new(|config, _| config["providers"][0]["feedback"] = json!("observe")),
            envoy: Box::new(|config| {
                let routes = virtual_hosts(config)[0]["routes"].as_array_mut().unwrap();
                let mut rewriting = routes[0].clone();
                rewriting["match"] = json!({"prefix": "/gateway/"});
                rewriting["route"]["prefix_rewrite"] = json!("/");
                routes.insert(0, rewriting);
            }),
            ..setup
        };
        let world = setup.start();
        let ask = |path: &str| {
            let request = Request::post(path, PROMPT).header("content-type", "application/json");
            let answer = world.ask(request);
            assert_eq!(answer.status, 403, "{version:?} {path}: {answer:?}");
            answer
        };
        // The route rewrites behind the filter in the listener.
        let path = format!("/gateway{}", converse());
        let (code, out) = explain(&world, &path, PROMPT, &ask(&path));
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("differs first in path: line 2 of the canonical request"), "{out}");
        assert!(!out.contains("differs too"), "{out}");

        // The body that the operator has at hand is another one.
        world.bedrock.know(&AccessKey { secret: "another".to_owned(), ..key.clone() });
        let answer = ask(&converse());
        let (code, out) = explain(&world, &converse(), "{}", &answer);
        assert!(code == 1 && out.contains("differs first in payload hash"), "{out}");

        // Line by line it is what was signed: the secret key is wrong.
        let (code, out) = explain(&world, &converse(), PROMPT, &answer);
        assert!(
            out.contains("no line differs\n") && out.contains("so it was signed with another key than"),
            "{out}"
        );
        assert_eq!(code, 0, "{out}");
    }
}
