//! Whose keys sign: those of the secret, else those of where the server runs, and never the ones for the others.

mod stubs;

use serde_json::{Value, json};

use super::placements::PROMPT;
use super::wiring::converse;
use crate::support::aws::{AccessKey, Hop, Moto, SigningSetup, SigningWorld, Sts};
use crate::support::{Answer, Files, Idp, Placement, Request, Version, eventually, folder, new_key};
use stubs::{Container, Instance};

/// Keys that stand in the environment of every case, and are known at Bedrock.
fn ambient() -> AccessKey {
    AccessKey {
        id: "AKIAIOSFODNN7AMBIENT".to_owned(),
        secret: "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".to_owned(),
        token: None,
    }
}

fn variables(key: &AccessKey) -> Vec<(&'static str, String)> {
    let mut variables =
        vec![("AWS_ACCESS_KEY_ID", key.id.clone()), ("AWS_SECRET_ACCESS_KEY", key.secret.clone())];
    variables.extend(key.token.iter().map(|token| ("AWS_SESSION_TOKEN", token.clone())));
    variables
}

/// Nothing of the machine's own AWS.
fn nothing_else() -> Vec<(&'static str, String)> {
    vec![
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

fn world(
    environment: Vec<(&'static str, String)>,
    configure: impl FnOnce(&mut Value, &Files) + 'static,
) -> SigningWorld {
    let mut setup = SigningSetup::new(Placement::Downstream, Version::Newest);
    setup.environment = [nothing_else(), environment].concat();
    setup.configure = Box::new(configure);
    let world = setup.start();
    world.bedrock.know(&ambient());
    world.secrets.add(&ambient().secret);
    world
}

fn without_a_secret(config: &mut Value) {
    config["providers"][0].as_object_mut().unwrap().remove("credential_ref");
}

fn ask(world: &SigningWorld) -> Answer {
    world.ask(Request::post(&converse(), PROMPT))
}

/// Asks, and is answered; the key that signed.
#[track_caller]
fn signer(world: &SigningWorld) -> String {
    let answer = ask(world);
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut calls = world.bedrock.take();
    let verified = calls.remove(0).verdict.unwrap_or_else(|fault| panic!("{fault:#?}"));
    verified.access_key_id
}

#[test]
fn keys_of_the_secret_sign_whatever_the_environment_has() {
    let world = world(variables(&ambient()), |_, _| {});
    assert_eq!(signer(&world), "AKIAIOSFODNN7BOUNCER");
    // A session's keys, from the same secret.
    let session = AccessKey {
        id: "ASIAIOSFODNN7SESSION".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYSESSIONKEY".to_owned(),
        token: Some("FwoGZXIvYXdzEBYaDSESSIONTOKENOFBOUNCER+/=".to_owned()),
    };
    world.bedrock.know(&session);
    world.secrets.add(&session.secret);
    world.secrets.add(session.token.as_deref().unwrap());
    let files = world.bouncer.files();
    files.write_secret("bedrock", "access_key_id", &session.id);
    files.write_secret("bedrock", "secret_access_key", &session.secret);
    files.write_secret("bedrock", "session_token", session.token.as_deref().unwrap());
    eventually("the session's keys", || {
        let answer = ask(&world);
        let call = world.bedrock.take().pop()?;
        let verified = call.verdict.ok().filter(|one| one.access_key_id == session.id)?;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(verified.signed_headers, ["host", "x-amz-date", "x-amz-security-token"]);
        Some(())
    });
}

#[test]
fn a_named_secret_that_is_missing_is_never_replaced_by_the_keys_of_the_environment() {
    let world = world(variables(&ambient()), |config, files| {
        config["providers"][0]["credential_ref"] = json!("absent");
        // Without it, the server would not serve at all.
        files.write_secret("openai", "api_key", "sk-openai-of-another-entry");
        let other = json!({
            "provider": "openai", "auth_type": "api_key", "credential_ref": "openai",
            "match": {"cluster": ["openai"]},
        });
        config["providers"].as_array_mut().unwrap().push(other);
    });
    let answer = ask(&world);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["message"], "The gateway has no usable credential for the provider right now.");
    assert!(world.bedrock.take().is_empty());
    let ready = world.bouncer.admin("/readyz").text();
    assert!(ready.contains("absent"), "{ready}");
    // And when it comes, it is taken.
    let (files, key) = (world.bouncer.files(), SigningSetup::new(Placement::Downstream, Version::Newest).key);
    files.write_secret("absent", "access_key_id", &key.id);
    files.write_secret("absent", "secret_access_key", &key.secret);
    eventually("the secret", || (ask(&world).status == 200).then_some(()));
    assert_eq!(world.bedrock.take().pop().unwrap().verified().access_key_id, key.id);
}

#[test]
fn keys_of_the_environment_sign_where_no_secret_is_named() {
    let session = AccessKey { token: Some("FwoGZXIvYXdzEBYaDOFTHEENVIRONMENT+/=".to_owned()), ..ambient() };
    for key in [ambient(), session] {
        let world = world(variables(&key), |config, _| without_a_secret(config));
        world.bedrock.know(&key);
        key.token.iter().for_each(|token| world.secrets.add(token));
        assert_eq!(signer(&world), key.id);
    }
}

#[test]
fn the_container_s_keys_sign_where_no_secret_is_named() {
    let container = Container::start();
    let mount = folder();
    let file = mount.path().join("token");
    std::fs::write(&file, Container::TOKEN).unwrap();
    let environment = vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap().to_owned()),
    ];
    let world = world(environment, |config, _| without_a_secret(config));
    world.bedrock.know(&container.key());
    container.secrets().iter().for_each(|secret| world.secrets.add(secret));
    for _ in 0..3 {
        assert_eq!(signer(&world), container.key().id);
    }
    assert_eq!(container.asked(), 1);
}

#[test]
fn the_instance_s_keys_sign_where_no_secret_is_named() {
    let instance = Instance::start();
    let environment = vec![
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url()),
    ];
    let world = world(environment, |config, _| without_a_secret(config));
    world.bedrock.know(&instance.key());
    instance.secrets().iter().for_each(|secret| world.secrets.add(secret));
    for _ in 0..3 {
        assert_eq!(signer(&world), instance.key().id);
    }
    assert_eq!(instance.asked(), 1);
}

/// The pod's own role is another one, and assumes that of the secret.
#[test]
fn the_role_of_the_secret_is_assumed_by_the_role_of_the_pod() {
    let moto = Moto::start();
    let session = "bouncer-bedrock";
    moto.web_identity_role("pod");
    moto.allow_role("pod", &[("sts:AssumeRole", &Moto::role_arn("llm"))]);
    let pod = Moto::session_arn("pod", session);
    moto.role(Hop::new("llm"), &[pod], &[("bedrock:InvokeModel*", "*")]);
    let (sts, idp) = (Sts::start(&moto, "us-east-1"), Idp::shared());
    sts.trust_issuer(&idp);
    let (mount, token) = (folder(), idp.token_for("batch", "sts.amazonaws.com"));
    let file = mount.path().join("token");
    std::fs::write(&file, &token).unwrap();
    let environment = vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap().to_owned()),
        ("AWS_ROLE_ARN", Moto::role_arn("pod")),
        ("AWS_ROLE_SESSION_NAME", session.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_STS", sts.url()),
    ];
    let world = world(environment, |config, files| {
        config["providers"][0]["credential_ref"] = json!("role");
        files.write_secret("role", "role_arn", &Moto::role_arn("llm"));
    });
    world.secrets.add_token(&token);
    world.bedrock.ask_for_keys(moto.key_source());
    let id = signer(&world);
    let sessions = moto.sessions();
    assert_eq!(sessions.iter().find(|one| one.key.id == id).unwrap().role, Moto::role_arn("llm"));
    for session in sessions {
        world.secrets.add(&session.key.secret);
        world.secrets.add(session.key.token.as_deref().unwrap());
    }
    let asked: Vec<_> = sts.take().into_iter().map(|one| one.action).collect();
    assert_eq!(asked, ["AssumeRoleWithWebIdentity", "AssumeRole"]);
}

#[test]
fn a_bedrock_api_key_is_a_bearer_token_and_nothing_is_signed() {
    let world = world(variables(&ambient()), |config, files| {
        config["providers"] = json!([{
            "provider": "bedrock", "auth_type": "api_key", "credential_ref": "key",
            "match": {"cluster": ["bedrock"]},
        }]);
        files.write_secret("key", "api_key", "ABSKQmVkcm9ja0FQSUtleQ==");
    });
    let key = new_key(&world.secrets);
    world.bedrock.take_api_key("ABSKQmVkcm9ja0FQSUtleQ==");
    world.bedrock.take_api_key(&key);
    world.secrets.add("ABSKQmVkcm9ja0FQSUtleQ==");
    assert_eq!(ask(&world).status, 200);
    let call = world.bedrock.take().remove(0);
    assert_eq!(call.all("authorization"), ["Bearer ABSKQmVkcm9ja0FQSUtleQ=="]);
    assert!(call.all("x-amz-date").is_empty() && call.all("x-amz-security-token").is_empty());
    world.bouncer.files().write_secret("key", "api_key", &key);
    eventually("the other key", || {
        assert_eq!(ask(&world).status, 200);
        let call = world.bedrock.take().remove(0);
        (call.all("authorization") == [format!("Bearer {key}")]).then_some(())
    });
}
