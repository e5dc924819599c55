//! Unmodified clients with their caller's token: their users see the model's answer, or the sentence that says why not.

use serde_json::{Value, json};

use super::example;
use crate::support::aws::{Client, MODEL, PROFILE_ARN, SigningSetup, SigningWorld};
use crate::support::{Certificates, Placement, Tls, Version};

#[test]
fn the_clients_get_answers() {
    for (placement, version) in [(Placement::Downstream, Version::Oldest), (Placement::Pair, Version::Newest)]
    {
        let certificates = Certificates::new();
        let world = world(placement, version, &certificates, false);
        let client = Client::bearer(&url(&world), &world.token("alice")).trusting(ca(&certificates));
        for (operation, model) in Client::ALL.iter().flat_map(|one| [(*one, MODEL), (*one, PROFILE_ARN)]) {
            let shown = ask(&world, &client, operation, model);
            assert_eq!(shown["text"], "Hello.", "{version:?} {operation} {model}: {shown}");
            let streamed = operation.ends_with("stream");
            assert_eq!(shown["pieces"].as_array().unwrap().len(), if streamed { 2 } else { 1 });
            let calls = world.bedrock.take();
            assert_eq!(calls.len(), 1, "{operation}");
            let verified = calls[0].verified();
            // What a client may send beside is nobody's concern; the caller's token went no further.
            let signed = verified.signed_headers.iter().filter(|name| *name != "content-type");
            assert_eq!(signed.collect::<Vec<_>>(), ["host", "x-amz-date"], "{operation}");
            assert_eq!(calls[0].all("authorization").len(), 1, "{operation}");
            let colon = if operation.starts_with("boto3") { "%3A" } else { ":" };
            let spelled = if model == MODEL {
                format!("/model/us.anthropic.claude-sonnet-4-5-20250929-v1{colon}0/")
            } else {
                format!("/model/{}%2Fabc123/", PROFILE_ARN.replace("/abc123", "").replace(':', colon))
            };
            assert!(calls[0].target.starts_with(&spelled), "{operation}: {}", calls[0].target);
        }
    }
}

#[test]
fn the_clients_show_why_not() {
    let certificates = Certificates::new();
    let world = world(Placement::Downstream, Version::Newest, &certificates, true);
    let trusting = |client: Client| client.trusting(ca(&certificates));
    let url = url(&world);
    // A client that signs by itself has no token of ours.
    let signing = trusting(Client::signing(&url, &example()));
    let token = world.idp.token_for("alice", "other");
    world.secrets.add_token(&token);
    let other = trusting(Client::bearer(&url, &token));
    let one_factor = trusting(Client::bearer(&url, &world.token("alice")));
    let two_factors = trusting(Client::bearer(&url, &world.token("alice-mfa")));
    let large = two_factors.clone().prompt_of(70_000);
    let not_accepted = "The access token was not accepted; get a new one.";
    for (client, status, code, sentence) in [
        (&signing, 401, "UnrecognizedClientException", not_accepted),
        (&other, 401, "UnrecognizedClientException", not_accepted),
        (
            &one_factor,
            401,
            "UnrecognizedClientException",
            "This provider asks for multi-factor authentication; sign in again with a second factor.",
        ),
        (&large, 413, "ValidationException", "The request body is larger than this gateway accepts."),
    ] {
        for operation in ["boto3-converse", "boto3-invoke-stream", "anthropic-create"] {
            let shown = ask(&world, client, operation, MODEL);
            assert_eq!(shown["status"], status, "{operation}: {shown}");
            assert!(shown["message"].as_str().unwrap().contains(sentence), "{operation}: {shown}");
            assert_eq!(shown["headers"]["x-amzn-errortype"], code, "{operation}: {shown}");
            let shown_code = if operation.starts_with("boto3") { code.into() } else { Value::Null };
            assert_eq!(shown["code"], shown_code, "{operation}: {shown}");
        }
    }
    assert!(world.bedrock.take().is_empty());
    assert_eq!(ask(&world, &two_factors, "boto3-converse", MODEL)["text"], "Hello.");
}

fn world(
    placement: Placement,
    version: Version,
    certificates: &Certificates,
    mfa_required: impl Into<Value>,
) -> SigningWorld {
    let mut setup = SigningSetup::new(placement, version);
    let (folder, mfa_required) = (certificates.path(), mfa_required.into());
    setup.front = Box::new(|front| front.tls = Tls::Server(folder));
    setup.configure = Box::new(move |config, _| {
        config["limits"] = json!({"max_body": "64KiB", "body_memory": "1MiB"});
        config["mfa"] = json!({"amr": ["mfa"], "acr_values": ["urn:example:mfa"], "max_age": "8h"});
        config["providers"][0]["mfa_required"] = mfa_required;
    });
    setup.start()
}

fn url(world: &SigningWorld) -> String {
    format!("https://localhost:{}", world.address().port())
}

fn ca(certificates: &Certificates) -> std::path::PathBuf {
    certificates.path().join("ca.pem")
}

fn ask(world: &SigningWorld, client: &Client, operation: &str, model: &str) -> Value {
    let shown = client.ask(operation, model);
    world.secrets.check("what a client shows", &shown.to_string());
    shown
}
