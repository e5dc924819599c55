//! AWS's counterparts by themselves: whatever fails here is not bouncer's doing.

use std::thread;

use super::example;
use crate::support::aws::{AccessKey, Bedrock, Client, Failure, Fault, MODEL, PROFILE_ARN, sha256_hex};
use crate::support::{
    Certificates, Cluster, Connection, Envoy, Front, Grpc, Host, Placement, Request, Route, Tls, Version,
    eventually, local, send, unix_now,
};

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
    bedrock.forget("AKIDEXAMPLE");
    assert_eq!(code(&client), "UnrecognizedClientException");
    let calls = bedrock.take();
    assert!(matches!(calls[3].verdict, Err(Fault::Scope(_))));
    assert!(matches!(calls[4].verdict, Err(Fault::Date(_))));
    assert!(calls[6..10].iter().all(|call| call.verdict.is_ok()));
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 403, 503, 429, 403, 403, 403]);
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
fn bedrock_writes_down_what_arrived() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.take_api_key("key");
    let before = unix_now();
    let mut connection = Connection::open(bedrock.address).unwrap();
    for body in ["{}", r#"{"messages": []}"#] {
        let request = Request::post("/model/m/converse?x=1", body).header("Host", "x").bearer("key");
        assert_eq!(connection.send(&request).unwrap().status, 200);
        let call = bedrock.take().remove(0);
        assert_eq!((call.method.as_str(), call.target.as_str()), ("POST", "/model/m/converse?x=1"));
        assert_eq!((call.body_sha256, call.body_length), (sha256_hex(body.as_bytes()), body.len()));
        assert_eq!((call.headers[0].0.as_str(), call.status), ("Host", 200));
        assert_eq!(call.verdict.unwrap_err(), Fault::Missing);
        assert!(call.at >= before);
    }
    assert_eq!(bedrock.connections(), 1);
}

#[test]
fn a_stream_that_is_held_goes_on_when_it_is_released() {
    let bedrock = Bedrock::start("us-east-1");
    bedrock.know(&example());
    bedrock.hold_streams();
    let client = Client::signing(&bedrock.url(), &example()).prompt_of(100_000);
    let asking = thread::spawn(move || client.ask("boto3-converse-stream", MODEL));
    let call = eventually("the call", || bedrock.take().pop());
    assert!(call.body_length > 100_000);
    assert!(!asking.is_finished());
    bedrock.release();
    assert_eq!(asking.join().unwrap()["text"], "Hello.");
}

/// The path and the host that a signature must be over, with nothing else in the way.
#[test]
fn envoy_leaves_every_spelling_of_a_model_as_it_is() {
    let host = "bedrock-runtime.us-east-1.amazonaws.com";
    let certificates = Certificates::for_names(&[host]);
    let bedrock = Bedrock::start_tls("us-east-1", &certificates.path());
    bedrock.take_api_key("a.callers.token");
    for version in [Version::Oldest, Version::Newest] {
        let front = Front {
            placement: Placement::Bare,
            grpc: Grpc::Tcp(local(1)),
            routes: vec![Route {
                domain: host.to_owned(),
                cluster: "bedrock".to_owned(),
                ..Route::default()
            }],
            clusters: vec![Cluster {
                name: "bedrock".to_owned(),
                hosts: vec![Host { address: bedrock.address, provider: None }],
                tls: Some((certificates.path(), host.to_owned())),
                ..Cluster::default()
            }],
            tls: Tls::Server(certificates.path()),
            behind: Vec::new(),
            filter: |_| {},
            message_timeout: "5s".to_owned(),
        };
        let envoy = Envoy::start("front", version, &front.config());
        let url = format!("https://{host}:{}", envoy.listener("main").port());
        let client = Client::bearer(&url, "a.callers.token").trusting(certificates.path().join("ca.pem"));
        for (operation, model, wire) in [
            ("boto3-converse-stream", MODEL, "v1%3A0/"),
            ("anthropic-stream", MODEL, "v1:0/"),
            ("boto3-invoke", PROFILE_ARN, "/model/arn%3Aaws%3Abedrock%3A"),
            ("boto3-converse", PROFILE_ARN, "profile%2Fabc123/"),
            ("anthropic-create", PROFILE_ARN, "/model/arn:aws:bedrock:"),
            ("anthropic-create", PROFILE_ARN, "profile%2Fabc123/"),
        ] {
            let shown = client.ask(operation, model);
            assert_eq!(shown["text"], "Hello.", "{version:?} {operation}: {shown}");
            let call = bedrock.take().remove(0);
            assert!(call.target.contains(wire), "{version:?} {operation}: {}", call.target);
            assert_eq!(call.all("host"), [url.strip_prefix("https://").unwrap()]);
        }
    }
}
