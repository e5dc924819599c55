//! The documentation's second entry, as it stands there, in a pod of EKS (IRSA).

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::placements::PROMPT;
use super::wiring::converse;
use crate::support::aws::{Moto, SigningSetup, SigningWorld, Sts};
use crate::support::{Idp, Placement, Request, Version, eventually, folder, send};

const ENTRY: &str = "\
provider: bedrock
auth_type: aws_sigv4
credential_ref: bedrock-irsa-role
mfa_required: true
audit_on_rotate: true
";

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";

#[test]
fn the_second_entry_of_the_documentation_works_as_it_stands() {
    let moto = Moto::start();
    moto.web_identity_role("llm");
    let (sts, idp) = (Sts::start(&moto, "us-east-1"), Idp::shared());
    sts.trust_issuer(&idp);
    for (placement, version) in [
        (Placement::Downstream, Version::Oldest),
        (Placement::Pair, Version::Newest),
        (Placement::ExtAuthz, Version::Newest),
    ] {
        let (world, _mount) = world(placement, version, &sts, &idp);
        world.bedrock.ask_for_keys(sts.key_source());
        a_caller_without_mfa_is_challenged(&world, placement);
        assert!(world.bedrock.take().is_empty());
        for _ in 0..3 {
            let answer = world.ask_as("alice-mfa", Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 200, "{placement:?}: {answer:?}");
        }
        for call in world.bedrock.take() {
            assert_eq!(call.all("host"), [HOST]);
            assert_eq!(call.all("authorization").len(), 1);
            assert!(call.verified().access_key_id.starts_with("ASIA"));
        }
        let role = Moto::role_arn("llm");
        let asked = sts.take();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!((&*asked[0].action, asked[0].field("RoleArn")), ("AssumeRoleWithWebIdentity", &*role));
        let rotated =
            eventually("the event", || world.events("AI_PROVIDER_TOKEN_ROTATED").into_iter().next());
        assert_eq!((&rotated["provider"], &rotated["role"]), (&"bedrock".into(), &role.into()));
        for session in moto.sessions() {
            world.secrets.add(&session.key.secret);
            world.secrets.add(session.key.token.as_deref().unwrap());
        }
    }
}

/// The secret holds the role and the region; the rest is what EKS and the operator put into the pod's environment.
fn world(placement: Placement, version: Version, sts: &Sts, idp: &Idp) -> (SigningWorld, TempDir) {
    let mut setup = SigningSetup::new(placement, version);
    let token = idp.token_for("batch", "sts.amazonaws.com");
    let mount = folder();
    let file = mount.path().join("token");
    fs::write(&file, &token).unwrap();
    setup.environment = vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap().to_owned()),
        ("AWS_ROLE_ARN", Moto::role_arn("llm")),
        ("AWS_ENDPOINT_URL_STS", sts.url()),
    ];
    setup.configure = Box::new(|config, files| {
        files.write("providers.d/bedrock.yaml", ENTRY);
        files.write_secret("bedrock-irsa-role", "role_arn", &Moto::role_arn("llm"));
        files.write_secret("bedrock-irsa-role", "region", "us-east-1");
        config["providers"] = json!([]);
        config["providers_dir"] = json!("providers.d");
        config["mfa"] = json!({"amr": ["mfa"], "acr_values": ["urn:example:mfa"], "max_age": "8h"});
        config["audit"] = json!({"sinks": [{"type": "file", "path": "audit.jsonl"}]});
    });
    setup.front = Box::new(|front| front.routes[0].provider = Some("bedrock".to_owned()));
    setup.envoy = Box::new(move |config| {
        let manager = &mut config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
        let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
        route["host_rewrite_literal"] = json!(HOST);
        if placement == Placement::ExtAuthz {
            let config = &mut manager["http_filters"][0]["typed_config"];
            config["with_request_body"] = json!({"max_request_bytes": 16 << 20, "pack_as_bytes": true});
        }
    });
    let world = setup.start();
    world.secrets.add_token(&token);
    (world, mount)
}

/// And not asked for the body, which only ext_authz has already.
fn a_caller_without_mfa_is_challenged(world: &SigningWorld, placement: Placement) {
    let request = match placement {
        Placement::ExtAuthz => Request::post(&converse(), PROMPT),
        // Of the body, nothing ever comes.
        _ => Request::new("POST", converse()).header("content-length", "100000"),
    };
    let request = request.bearer(&world.token("alice")).header("host", "bedrock.llm.example");
    let answer = send(world.address(), &request);
    world.note(&answer);
    assert_eq!(answer.status, 401, "{placement:?}: {answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with(r#"Bearer error="insufficient_user_authentication", error_description=""#)
            && challenge.ends_with(r#"", acr_values="urn:example:mfa", max_age="28800""#),
        "{challenge}"
    );
    let sentence = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(sentence.contains("multi-factor authentication"), "{sentence}");
}
