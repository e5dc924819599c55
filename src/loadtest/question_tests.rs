//! What is asked, taken apart by the decoders and verifiers of other projects.

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Phase;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use prost::Message as _;
use serde_json::{Value, json};

use super::super::callers::{CallersError, Claims};
use super::super::key::SigningKey;
use super::*;
use crate::loadtest::{Address, Target};

fn target(protocol: Protocol) -> Target {
    Target { address: Address::Tcp("127.0.0.1:1".to_owned()), protocol, tls: None }
}

fn claims() -> Claims {
    Claims {
        issuer: "http://127.0.0.1:9700".to_owned(),
        audience: "loadtest".to_owned(),
        others: Vec::new(),
        issued: 4_000_000_000,
        lifetime: 600,
    }
}

fn signed(key: &SigningKey, claims: &Claims, count: usize) -> Callers {
    Callers::signed(key, claims, count.try_into().unwrap()).unwrap()
}

fn questions(question: &Question, callers: Callers) -> Questions {
    Questions::new(&target(Protocol::ExtProc), question, callers, Expectation::permit()).unwrap()
}

/// The headers, in the order in which they stand.
fn lines(message: &[u8]) -> Vec<(String, String)> {
    let request = ProcessingRequest::decode(&message[5..]).unwrap();
    let Some(Phase::RequestHeaders(headers)) = request.request else { panic!("no headers") };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    headers.headers.unwrap().headers.into_iter().map(|line| (line.key, text(line.raw_value))).collect()
}

fn value(lines: &[(String, String)], name: &str) -> Vec<String> {
    lines.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
}

/// A second opinion: another crate verifies the token by the key set.
fn verify(key: &SigningKey, token: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(key.key_set()).unwrap();
    let head = jsonwebtoken::decode_header(token).unwrap();
    let public = DecodingKey::from_jwk(keys.find(&head.kid.unwrap()).unwrap()).unwrap();
    let mut rules = Validation::new(head.alg);
    rules.set_audience(&["loadtest"]);
    jsonwebtoken::decode::<Value>(token, &public, &rules).unwrap().claims
}

#[test]
fn each_caller_has_a_subject_and_a_good_token_of_its_own() {
    let key = SigningKey::generate().unwrap();
    for count in [1, 2, 10, 11, 1_001, 1_002, 1_003] {
        // Wherever the digits stand in base64's groups of three.
        let issuer = format!("http://127.0.0.1:9700{}", "/a".repeat(count % 3));
        let claims = Claims { issuer, ..claims() };
        let questions = questions(&Question::default(), signed(&key, &claims, count));
        assert_eq!(questions.callers(), count);
        let mut subjects = std::collections::BTreeSet::new();
        for caller in [0, 1, 9, 10, 500, 1_000].into_iter().filter(|caller| *caller < count) {
            let message = questions.of(caller);
            let authorization = value(&lines(&message), "authorization");
            let token = authorization[0].strip_prefix("Bearer ").unwrap();
            assert_eq!(questions.token(&message), Some(token.as_bytes()));
            let claims = verify(&key, token);
            let subject = claims["sub"].as_str().unwrap().to_owned();
            assert_eq!(subject.strip_prefix("caller-").unwrap().parse::<usize>().unwrap(), caller);
            assert!(subjects.insert(subject));
            assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
            assert_eq!(claims["auth_time"], 4_000_000_000_u64);
        }
    }
}

#[test]
fn claims_of_the_operators_take_the_place_of_the_usual_ones() {
    let key = SigningKey::generate().unwrap();
    let others = vec![("amr".to_owned(), json!(["pwd"])), ("sub".to_owned(), json!("jane"))];
    let claims = Claims { others, ..claims() };
    let of = verify(&key, signed(&key, &claims, 1).first().unwrap());
    assert_eq!((&of["sub"], &of["amr"]), (&json!("jane"), &json!(["pwd"])));
    let many = Callers::signed(&key, &claims, 2.try_into().unwrap());
    assert!(matches!(many, Err(CallersError::Subject)));
}

#[test]
fn keys_are_read_from_pem_and_named_by_whoever_brings_them() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/target").unwrap();
    let path = folder.path().join("key.pem");
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    for (pair, algorithm) in [(rsa, "RS256"), (ec, "ES256")] {
        std::fs::write(&path, pair.serialize_pem()).unwrap();
        let key = SigningKey::read(&path, Some("mine".to_owned())).unwrap();
        assert_eq!((key.algorithm(), &key.key_set()["keys"][0]["kid"]), (algorithm, &json!("mine")));
        assert_eq!(verify(&key, signed(&key, &claims(), 3).first().unwrap())["sub"], "caller-0");
    }
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    std::fs::write(&path, other.serialize_pem()).unwrap();
    let words = SigningKey::read(&path, None).unwrap_err().to_string();
    assert!(words.contains("key.pem") && words.contains("P-256"), "{words}");
    std::fs::write(&path, "hunter2").unwrap();
    let words = SigningKey::read(&path, None).unwrap_err().to_string();
    assert!(words.contains("key.pem") && !words.contains("hunter2"), "{words}");
}

#[test]
fn the_message_is_the_one_of_an_sdk_behind_envoy() {
    let question = Question {
        cluster: Some("openai".to_owned()),
        headers: vec![("user-agent".to_owned(), "me".to_owned()), ("x-team".to_owned(), "search".to_owned())],
        filter_metadata: vec![("a.b".to_owned(), "tenant".to_owned(), "t1".to_owned())],
        peer_uri: Some("spiffe://mesh.example/a".to_owned()),
        ..Question::default()
    };
    let questions = questions(&question, Callers::with_token("a.b.c".to_owned()));
    let message = questions.of(0);
    let lines = lines(&message);
    assert!((20..=26).contains(&lines.len()), "{}", lines.len());
    let pseudo: Vec<_> = lines.iter().map(|(name, _)| name.starts_with(':')).collect();
    assert!(pseudo.is_sorted_by(|one, next| one >= next), "pseudo headers come first");
    for name in [":method", ":scheme", ":authority", ":path", "user-agent", "x-request-id", "authorization"] {
        assert_eq!(value(&lines, name).len(), 1, "{name}");
    }
    assert_eq!(value(&lines, "user-agent"), ["me"]);
    assert_eq!(value(&lines, "authorization"), ["Bearer a.b.c"]);
    let request = ProcessingRequest::decode(&message[5..]).unwrap();
    let attributes = &request.attributes["envoy.filters.http.ext_proc"].fields;
    for name in
        ["xds.cluster_name", "xds.route_name", "source.address", "connection.uri_san_peer_certificate"]
    {
        assert!(attributes.contains_key(name), "{name}");
    }
    assert!(request.metadata_context.unwrap().filter_metadata["a.b"].fields.contains_key("tenant"));
    assert!(request.protocol_config.is_some());
}

#[test]
fn ext_authz_has_the_same_facts() {
    let question = Question {
        provider: Some("openai".to_owned()),
        extensions: vec![("tenant".to_owned(), "t1".to_owned())],
        token_header: "x-api-key".to_owned(),
        body: 4_096,
        body_shown: BodyShown::Always,
        peer_uri: Some("spiffe://mesh.example/a".to_owned()),
        ..Question::default()
    };
    let key = SigningKey::generate().unwrap();
    let callers = signed(&key, &claims(), 20);
    let target = target(Protocol::ExtAuthz);
    let questions = Questions::new(&target, &question, callers, Expectation::permit()).unwrap();
    let message = questions.of(19);
    let attributes = CheckRequest::decode(&message[5..]).unwrap().attributes.unwrap();
    let http = attributes.request.unwrap().http.unwrap();
    assert_eq!((http.raw_body.len(), http.headers["content-length"].as_str()), (4_096, "4096"));
    assert!(serde_json::from_slice::<Value>(&http.raw_body).is_ok());
    assert_eq!(verify(&key, &http.headers["x-api-key"])["sub"], "caller-19");
    assert_eq!((http.path.as_str(), http.host.as_str()), ("/v1/chat/completions", "llm.example.com"));
    assert_eq!(attributes.context_extensions["provider"], "openai");
    assert_eq!(attributes.context_extensions["tenant"], "t1");
    assert_eq!(attributes.source.unwrap().principal, "spiffe://mesh.example/a");
    assert!(questions.body.is_none() && questions.response.is_none());
    assert!(questions.head.uri().path().ends_with("Authorization/Check"));
}

#[test]
fn the_provider_and_the_metadata_of_ext_proc_go_with_the_call() {
    let question = Question {
        provider: Some("openai".to_owned()),
        metadata: vec![("x-bouncer-half".to_owned(), "authenticate".to_owned())],
        phases: Phases::RequestAndResponse,
        ..Question::default()
    };
    let good = questions(&question, Callers::anonymous());
    assert_eq!(good.head.headers()["x-bouncer-provider"], "openai");
    assert_eq!(good.head.headers()["x-bouncer-half"], "authenticate");
    assert!(good.response.is_some() && good.token(&good.of(0)).is_none());
    let bad = Question { metadata: vec![("a b".to_owned(), String::new())], ..Question::default() };
    let bad = Questions::new(&target(Protocol::ExtProc), &bad, Callers::anonymous(), Expectation::permit());
    assert_eq!(bad.unwrap_err(), QuestionError::Metadata("a b".to_owned()));
}

#[test]
fn a_body_is_as_long_as_it_is_said_to_be() {
    for length in [0, 1, 60, 4_096] {
        let question = Question { body: length, ..Question::default() };
        let questions = questions(&question, Callers::anonymous());
        let lines = lines(&questions.of(0));
        assert_eq!(value(&lines, "content-length"), [length.to_string()]);
        let body = ProcessingRequest::decode(&questions.body.unwrap()[5..]).unwrap();
        let Some(Phase::RequestBody(body)) = body.request else { panic!("no body") };
        assert!(body.end_of_stream && body.body.len() == length);
    }
}
