//! The real programs by themselves: whatever fails here is not bouncer's doing.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Certificates, Cluster, Envoy, Front, Grpc, Host, Idp, Llm, Placement, ProviderEnvoy, Request, Route, Tls,
    Version, local, send, tool,
};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

#[test]
fn the_identity_provider_hands_out_tokens_and_rotates() {
    let idp = Idp::start();
    for caller in ["alice", "alice-mfa", "alice-es256", "batch"] {
        assert_eq!(idp.token(caller).split('.').count(), 3, "{caller}");
    }
    idp.add_caller("bob", json!({"sub": "bob", "ttl": 5, "claims": {"amr": ["hwk"]}}));
    let before = idp.token("bob");
    idp.rotate();
    let after = idp.token("bob");
    let kid = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_ne!(kid(&before), kid(&after));
    assert_eq!(idp.count("token"), 6);
}

#[test]
fn the_provider_takes_its_own_keys_only_and_tells_what_arrived() {
    for version in VERSIONS {
        let llms = [Llm::new("openai", "authorization"), Llm::new("anthropic", "x-api-key")];
        let provider = ProviderEnvoy::start(version, &llms);
        let ask = |key: &str| {
            let request =
                Request::post("/v1/chat/completions", "{}").header("host", "x").header("X_Api_Key", "mine");
            send(provider.address("openai"), &request.bearer(key))
        };
        assert_eq!(ask("wrong").status, 401);
        assert_eq!(provider.origin.take().len(), 0);
        for key in &llms[0].keys {
            assert_eq!(ask(key).json()["object"], "chat.completion");
        }
        assert_eq!(ask(&llms[1].keys[0]).status, 401);
        let seen = provider.origin.take();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].llm, "openai");
        assert_eq!(seen[1].all("authorization"), [format!("Bearer {}", llms[0].keys[1])]);
        assert_eq!(seen[1].all("x_api_key"), ["mine"]);
        assert_eq!(provider.arrived(), 4);

        let request =
            Request::post("/v1/messages", "{}").header("host", "x").header("x-api-key", &llms[1].keys[0]);
        assert_eq!(send(provider.address("anthropic"), &request).json()["type"], "message");
        provider.origin.fail_next(&[503]);
        assert_eq!(send(provider.address("anthropic"), &request).status, 503);
    }
}

/// Envoy takes every one of the configurations, and lets nothing through while nobody answers.
#[test]
fn envoy_refuses_everything_while_no_server_answers() {
    for version in VERSIONS {
        let provider = ProviderEnvoy::start(version, &[Llm::new("openai", "authorization")]);
        for placement in Placement::ALL.into_iter().chain([Placement::HalfAPair]) {
            let front = Front {
                placement,
                // Nobody listens on port 1.
                grpc: Grpc::Tcp(local(1)),
                routes: vec![Route {
                    domain: "openai.llm.example".to_owned(),
                    cluster: "openai".to_owned(),
                    provider: Some("openai".to_owned()),
                    retries: 1,
                    ..Route::default()
                }],
                clusters: vec![Cluster {
                    name: "openai".to_owned(),
                    hosts: vec![Host {
                        address: provider.address("openai"),
                        provider: Some("openai".to_owned()),
                    }],
                    ..Cluster::default()
                }],
                tls: Tls::None,
                behind: Vec::new(),
                filter: |_| {},
                message_timeout: "5s".to_owned(),
            };
            let envoy = Envoy::start("front", version, &front.config());
            let request = Request::post("/v1/chat/completions", "{}").header("host", "openai.llm.example");
            let answer = send(envoy.listener("main"), &request);
            let expected = if placement == Placement::ExtAuthz { 403 } else { 500 };
            assert_eq!(answer.status, expected, "{version:?} {placement:?} {}", answer.text());
        }
        assert_eq!(provider.arrived(), 0);
    }
}

#[test]
fn envoy_asks_for_a_client_certificate() {
    let certificates = Certificates::new();
    certificates.client("batch", &["spiffe://mesh.example/ns/jobs/sa/batch"]);
    let front = Front {
        placement: Placement::Downstream,
        grpc: Grpc::Tcp(local(1)),
        routes: Vec::new(),
        clusters: Vec::new(),
        tls: Tls::Mutual(certificates.path()),
        behind: Vec::new(),
        filter: |_| {},
        message_timeout: "5s".to_owned(),
    };
    let envoy = Envoy::start("front", Version::Newest, &front.config());
    let answer =
        certificates.connect("batch", envoy.listener("main")).send(&Request::get("/").header("host", "x"));
    // Past the handshake; what asks bouncer comes next, and nobody is there.
    assert_eq!(answer.unwrap().status, 500);
}

#[test]
fn the_sdks_are_the_pinned_ones() {
    let script =
        "import json, openai, anthropic; print(json.dumps([openai.__version__, anthropic.__version__]))";
    let output = Command::new(tool("sdks/bin/python")).args(["-c", script]).output().unwrap();
    let versions: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(versions, json!(["3.54.0", "2.12.0"]));
}
