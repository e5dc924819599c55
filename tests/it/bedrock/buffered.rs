//! ext_proc, the body buffered by `mode_override`: in the listener and in the cluster, with both Envoys.

use serde_json::json;

use super::wiring::PROMPT;
use super::wiring::{
    API_KEY, KEYED, KIB, VERSIONS, beside_an_api_key, buffer, bytes, converse, ends_every_stream, limited,
    manager, messages, tells,
};
use crate::support::aws::{SigningSetup, SigningWorld, sha256_hex};
use crate::support::{Answer, Connection, Placement, Request, Version, send};

const PLACES: [Placement; 2] = [Placement::Downstream, Placement::Upstream];

/// What Envoy buffers in these worlds.
const LIMIT: usize = 64 * KIB;

/// Envoy takes `LIMIT`, and bouncer no more than that.
fn fitting(placement: Placement, version: Version) -> SigningSetup {
    let mut setup = beside_an_api_key(limited(placement, version, json!({"max_body": "64KiB"})));
    setup.envoy = Box::new(|config| buffer(config, LIMIT));
    setup
}

/// A request that says how long its body is, and has not sent any of it.
fn announced(length: usize) -> Request {
    Request::post(&converse(), "").header("content-length", length.to_string())
}

/// An answer of ours in Bedrock's words.
#[track_caller]
fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some(kind), "{answer:?}");
    assert!(answer.json()["message"].is_string(), "{answer:?}");
}

#[test]
fn every_body_up_to_the_limit_is_signed_and_nobody_elses_is_asked_for() {
    for (placement, version) in PLACES.iter().flat_map(|place| VERSIONS.map(|version| (*place, version))) {
        let world = fitting(placement, version).start();
        world.bedrock.take_api_key(API_KEY);
        world.secrets.add(API_KEY);
        let before = messages(&world);
        let token = world.token("alice");
        let keyed = Request::post(&converse(), bytes(LIMIT)).bearer(&token).header("host", KEYED);
        let answer = send(world.address(), &keyed);
        assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
        assert_eq!(messages(&world) - before, 1, "{placement:?} {version:?}: the headers, and no more");
        let calls = world.bedrock.take();
        assert_eq!(calls[0].all("authorization"), [format!("Bearer {API_KEY}")]);
        assert_eq!(calls[0].body_sha256, sha256_hex(&bytes(LIMIT)));

        let all: Vec<u8> = (0..=255).collect();
        for body in [b"x".to_vec(), all, PROMPT.into(), bytes(LIMIT - 1), bytes(LIMIT)] {
            let before = messages(&world);
            let answer = world.ask(Request::post(&converse(), &*body));
            assert_eq!(answer.status, 200, "{placement:?} {version:?} {}: {answer:?}", body.len());
            // Its headers, its body, and the headers of the response.
            assert_eq!(messages(&world) - before, 3, "{placement:?} {version:?}");
            let calls = world.bedrock.take();
            calls[0].verified();
            assert_eq!(calls[0].body_sha256, sha256_hex(&body));
            assert_eq!(calls[0].all("content-length"), [body.len().to_string()]);
        }
        // Nothing follows the headers: they are signed over the hash of nothing.
        let before = messages(&world);
        let answer = world.ask(Request::get("/async-invoke"));
        assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
        assert_eq!(messages(&world) - before, 2);
        let answer = world.ask(Request::post(&converse(), PROMPT).in_chunks(&[]));
        assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
        let calls = world.bedrock.take();
        assert_eq!((calls[0].body_length, calls[1].body_length), (0, PROMPT.len()));
        for call in &calls {
            call.verified();
        }

        // A byte more is refused before any of it was sent, and before Bedrock hears of it.
        let answer = world.ask(announced(LIMIT + 1));
        refused(&answer, 413, "ValidationException");
        assert!(world.bedrock.take().is_empty());
        ends_every_stream(&world);
    }
}

#[test]
fn nothing_that_the_caller_signed_arrives() {
    for (placement, version) in PLACES.iter().flat_map(|place| VERSIONS.map(|version| (*place, version))) {
        let mut setup = SigningSetup::new(placement, version);
        setup.configure = Box::new(|config, _| {
            config["callers"]["jwt"][0]["token_from"] = json!(["authorization", "x-api-key"])
        });
        let world = setup.start();
        let theirs = |request: Request| {
            request
                .header("x-amz-date", "20260101T000000Z")
                .header("X-Amz-Security-Token", "a-session-token-of-the-callers")
                .header("X-AMZ-Content-SHA256", "UNSIGNED-PAYLOAD")
                .header("x_amz_date", "20260101T000000Z")
                .header("x-amz-target", "Bedrock.Other")
        };
        let answer = world.ask(theirs(Request::post(&converse(), PROMPT)));
        assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
        let calls = world.bedrock.take();
        calls[0].verified();
        let amazon = calls[0].headers.iter().map(|(name, _)| name.to_lowercase().replace('_', "-"));
        let amazon: Vec<_> = amazon.filter(|name| name.starts_with("x-amz-")).collect();
        assert_eq!(amazon, ["x-amz-date"], "{placement:?} {version:?}");

        // A signature is nobody's token, also beside one.
        let signature = "AWS4-HMAC-SHA256 Credential=AKIDCALLER/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00";
        for request in [
            Request::post(&converse(), PROMPT).header("authorization", signature),
            Request::post(&converse(), PROMPT)
                .header("authorization", signature)
                .header("x-api-key", world.token("alice")),
        ] {
            let answer = send(world.address(), &theirs(request).header("host", "bedrock.llm.example"));
            // In the cluster it might be our own, of an earlier attempt, whose caller nobody knows any more.
            let status = if placement == Placement::Upstream { 500 } else { 401 };
            assert_eq!(answer.status, status, "{placement:?} {version:?}: {answer:?}");
            world.note(&answer);
        }
        // A presigned query is the caller's own signature.
        for query in ["X-Amz-Signature=00", "x-amz-credential=a", "%58-Amz-Algorithm=AWS4-HMAC-SHA256"] {
            let answer = world.ask(Request::post(&format!("{}?{query}", converse()), PROMPT));
            refused(&answer, 400, "ValidationException");
        }
        assert!(world.bedrock.take().is_empty());
    }
}

/// A body that Envoy does not buffer whole, and that bouncer would sign.
fn hanging(placement: Placement, version: Version, limits: serde_json::Value) -> SigningWorld {
    let mut setup = limited(placement, version, limits);
    setup.envoy = Box::new(|config| {
        buffer(config, 32 * KIB);
        manager(config)["stream_idle_timeout"] = json!("2s");
    });
    setup.start()
}

#[test]
fn a_body_past_envoys_buffer_hangs_until_somebody_ends_it() {
    for (placement, version) in PLACES.iter().flat_map(|place| VERSIONS.map(|version| (*place, version))) {
        // Nobody but Envoy's own timeout.
        let world = hanging(placement, version, json!({}));
        let answer = world.ask(Request::post(&converse(), bytes(200 * KIB)));
        assert!([408, 504].contains(&answer.status), "{placement:?} {version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty());
        tells(&world, "the stream ended before the body came");
        // The limit of ours that fits the buffer: no wait at all.
        let world = hanging(placement, version, json!({"max_body": "32KiB"}));
        refused(&world.ask(announced(200 * KIB)), 413, "ValidationException");
        assert!(world.bedrock.take().is_empty());
    }
}

#[test]
fn where_it_would_hang_limits_stream_idle_ends_it_and_names_the_settings() {
    for (placement, version) in PLACES.iter().flat_map(|place| VERSIONS.map(|version| (*place, version))) {
        let world = hanging(placement, version, json!({"stream_idle": "300ms"}));
        let answer = world.ask(Request::post(&converse(), bytes(200 * KIB)));
        assert_eq!(answer.status, 500, "{placement:?} {version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty(), "never unsigned");
        tells(&world, "request_body_buffer_limit");
        tells(&world, "per_connection_buffer_limit_bytes");
        ends_every_stream(&world);
    }
}

#[test]
fn one_connection_carries_signed_and_refused_requests_in_turn() {
    let world = fitting(Placement::Downstream, Version::Newest).start();
    let mut connection = Connection::open(world.address()).unwrap();
    let token = world.token("alice");
    for length in [LIMIT, 1, 0, 4 * KIB] {
        let request = Request::post(&converse(), bytes(length)).bearer(&token).header("host", "b.example");
        assert_eq!(connection.send(&request).unwrap().status, 200, "{length}");
        world.bedrock.take()[0].verified();
    }
}
