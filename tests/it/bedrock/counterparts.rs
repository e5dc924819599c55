//! AWS's counterparts by themselves: whatever fails here is not bouncer's doing.

use crate::support::Certificates;
use crate::support::aws::{
    AccessKey, Bedrock, Client, Failure, Fault, Hop, MODEL, Moto, PROFILE_ARN, Session,
};
use crate::support::{Request, send};

fn example() -> AccessKey {
    AccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
    }
}

#[test]
fn the_clients_sign_so_that_bedrock_takes_it() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.know(&example());
    let client = Client::signing(&bedrock.url(), &example());
    let spelled = "us.anthropic.claude-sonnet-4-5-20250929-v1";
    for operation in Client::ALL {
        let shown = client.ask(operation, MODEL);
        assert_eq!(shown["text"], "Hello.", "{operation}: {shown}");
        let streamed = operation.ends_with("stream");
        assert_eq!(shown["pieces"].as_array().unwrap().len(), if streamed { 2 } else { 1 }, "{operation}");
        let calls = bedrock.take();
        assert_eq!(calls.len(), 1, "{operation}");
        let colon = if operation.starts_with("boto3") { "%3A" } else { ":" };
        assert!(calls[0].target.starts_with(&format!("/model/{spelled}{colon}0/")), "{}", calls[0].target);
        assert_eq!(calls[0].verified().access_key_id, "AKIDEXAMPLE");
        assert!(calls[0].verified().signed_headers.contains(&"host".to_owned()));
    }
    for operation in ["boto3-converse", "anthropic-create"] {
        assert_eq!(client.ask(operation, PROFILE_ARN)["text"], "Hello.", "{operation}");
        let target = bedrock.take().remove(0).target;
        assert!(target.contains("profile%2Fabc123/"), "{target}");
    }
}

#[test]
fn a_body_that_changed_is_refused_with_the_canonical_text() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.know(&example());
    let client = Client::signing(&bedrock.url(), &example());
    assert_eq!(client.ask("boto3-converse", MODEL)["text"], "Hello.");
    let shown = client.tampering().ask("boto3-converse", MODEL);
    assert_eq!(shown["code"], "InvalidSignatureException", "{shown}");
    assert_eq!(shown["status"], 403);
    assert!(
        shown["message"].as_str().unwrap().contains("The Canonical String for this request should have been")
    );
    let kind = shown["headers"]["x-amzn-errortype"].as_str().unwrap();
    assert!(kind.starts_with("InvalidSignatureException:http://internal.amazon.com/coral/"), "{kind}");
    let calls = bedrock.take();
    assert!(matches!(calls[1].verdict, Err(Fault::Signature { .. })), "{:?}", calls[1].verdict);
}

#[test]
fn bedrock_refuses_other_keys_regions_and_times() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.know(&example());
    let client = Client::signing(&bedrock.url(), &example());
    let code = |client: &Client| {
        let shown = client.ask("boto3-invoke", MODEL);
        shown["code"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned()
    };
    let wrong = AccessKey { secret: "other".to_owned(), ..example() };
    assert_eq!(code(&Client::signing(&bedrock.url(), &wrong)), "InvalidSignatureException");
    let unknown = AccessKey { id: "AKIDOTHER".to_owned(), ..example() };
    assert_eq!(code(&Client::signing(&bedrock.url(), &unknown)), "UnrecognizedClientException");
    let stale = AccessKey { token: Some("stale".to_owned()), ..example() };
    assert_eq!(code(&Client::signing(&bedrock.url(), &stale)), "UnrecognizedClientException");
    assert_eq!(code(&client.clone().region("eu-west-1")), "InvalidSignatureException");
    for seconds in [400, -400] {
        bedrock.shift_clock(seconds);
        assert_eq!(code(&client), "InvalidSignatureException");
    }
    bedrock.shift_clock(0);
    bedrock.fail_next([Failure::unavailable(), Failure::throttled(), Failure::access_denied()]);
    assert_eq!(code(&client), "ServiceUnavailableException");
    assert_eq!(code(&client), "ThrottlingException");
    assert_eq!(code(&client), "AccessDeniedException");
    bedrock.expire("AKIDEXAMPLE");
    assert_eq!(code(&client), "ExpiredTokenException");
    let calls = bedrock.take();
    assert!(matches!(calls[3].verdict, Err(Fault::Scope(_))));
    assert!(matches!(calls[4].verdict, Err(Fault::Date(_))));
    assert!(calls[6..].iter().all(|call| call.verdict.is_ok()));
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 403, 503, 429, 403, 403]);
}

#[test]
fn the_clients_carry_a_bearer_token_over_tls() {
    let certificates = Certificates::new();
    let bedrock = Bedrock::start_tls("us-east-1", &certificates.path());
    bedrock.take_api_key("a.callers.token");
    let trusting = |client: Client| client.trusting(certificates.path().join("ca.pem"));
    let client = trusting(Client::bearer(&bedrock.url(), "a.callers.token"));
    for operation in Client::ALL {
        let shown = client.ask(operation, MODEL);
        assert_eq!(shown["text"], "Hello.", "{operation}: {shown}");
        let calls = bedrock.take();
        assert_eq!(calls[0].all("authorization"), ["Bearer a.callers.token"], "{operation}");
        assert!(calls[0].all("x-amz-date").is_empty(), "{operation}");
    }
    for operation in ["boto3-converse", "anthropic-create"] {
        let shown = trusting(Client::bearer(&bedrock.url(), "other")).ask(operation, MODEL);
        assert_eq!(shown["status"], 403, "{operation}: {shown}");
        // Nobody's authority: the certificate is looked at.
        let shown = Client::bearer(&bedrock.url(), "a.callers.token").ask(operation, MODEL);
        assert!(shown["message"].as_str().is_some() && shown["text"].is_null(), "{shown}");
    }
    assert_eq!(bedrock.take().len(), 2);
}

#[test]
fn an_arn_whose_slash_was_decoded_is_no_model() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.take_api_key("key");
    let ask = |request: Request| send(bedrock.address, &request.header("host", "x").bearer("key"));
    let answer = ask(Request::post(&format!("/model/{PROFILE_ARN}/converse"), "{}"));
    assert_eq!(
        (answer.status, answer.json()["message"].as_str().unwrap()),
        (400, "The provided model identifier is invalid.")
    );
    assert_eq!(ask(Request::get("/async-invoke")).status, 200);
    assert_eq!(ask(Request::get("/elsewhere")).status, 404);
}

#[test]
fn moto_enforces_signatures_permissions_and_trust() {
    let moto = Moto::start();
    let hops = [Hop::external_id("gateway", "ours"), Hop::new("llm"), Hop::new("bedrock")];
    let user = moto.chain("bouncer", "llm-session", &hops);
    let assume = |key: &AccessKey, role: &str, more: &[(&str, &str)]| {
        let arn = Moto::role_arn(role);
        let fields = [("RoleArn", &*arn), ("RoleSessionName", "llm-session")];
        let answer = moto.sts(key, "AssumeRole", &[&fields, more].concat());
        let code =
            answer.text().split_once("<Code>").map(|(_, rest)| rest.split('<').next().unwrap().to_owned());
        match code {
            Some(code) => Err((answer.status, code)),
            None => Ok(moto.sessions().pop().unwrap()),
        }
    };
    let refused = |outcome: Result<Session, (u16, String)>, code: &str| {
        assert_eq!(outcome.unwrap_err(), (403, code.to_owned()));
    };
    let forged = AccessKey { secret: "other".to_owned(), ..user.clone() };
    let ours = [("ExternalId", "ours")];
    refused(assume(&forged, "gateway", &ours), "SignatureDoesNotMatch");
    refused(assume(&example(), "gateway", &ours), "InvalidClientTokenId");
    refused(assume(&user, "gateway", &[("ExternalId", "theirs")]), "AccessDenied");
    refused(assume(&user, "bedrock", &[]), "AccessDenied");

    let gateway = assume(&user, "gateway", &ours).unwrap();
    assert_eq!(gateway.role, Moto::role_arn("gateway"));
    assert_eq!((gateway.name.as_str(), gateway.external_id.as_deref()), ("llm-session", Some("ours")));
    refused(assume(&gateway.key, "bedrock", &[]), "AccessDenied");
    let llm = assume(&gateway.key, "llm", &[]).unwrap();
    let tokenless = AccessKey { token: None, ..llm.key.clone() };
    refused(assume(&tokenless, "bedrock", &[]), "InvalidClientTokenId");
    let bedrock = assume(&llm.key, "bedrock", &[]).unwrap();

    // The role's credentials sign, at moto and at the Bedrock that knows them from moto.
    let ours = Bedrock::start("us-east-1");
    ours.ask_for_keys(moto.key_source());
    for model in [MODEL, PROFILE_ARN] {
        let shown = Client::signing(&ours.url(), &bedrock.key).ask("boto3-invoke", model);
        assert_eq!(shown["text"], "Hello.", "{shown}");
        // An empty object is all that moto answers.
        let shown = Client::signing(&moto.url(), &bedrock.key).ask("boto3-invoke", model);
        assert_eq!(
            (&shown["class"], &shown["message"]),
            (&"KeyError".into(), &"'content'".into()),
            "{shown}"
        );
    }
    let shown = Client::signing(&moto.url(), &gateway.key).ask("boto3-invoke", MODEL);
    assert!(shown["message"].as_str().unwrap().contains("AccessDenied"), "{shown}");

    moto.revoke("bedrock");
    refused(assume(&llm.key, "bedrock", &[]), "AccessDenied");
    moto.trust(hops[2], &[Moto::session_arn("llm", "llm-session")]);
    assume(&llm.key, "bedrock", &[]).unwrap();
    moto.allow_role("llm", &[]);
    refused(assume(&llm.key, "bedrock", &[]), "AccessDenied");
    let newer = moto.new_key("bouncer");
    moto.delete_key("bouncer", &user.id);
    refused(assume(&user, "gateway", &[]), "InvalidClientTokenId");
    assume(&newer, "gateway", &[]).unwrap();
}
