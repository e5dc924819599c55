//! ext_authz with the body in the check: one round trip.

use serde_json::{Value, json};

use super::wiring::PROMPT;
use super::wiring::{
    API_KEY, KEYED, KIB, MIB, VERSIONS, beside_an_api_key, buffer, bytes, converse, limited, tells,
    with_request_body,
};
use crate::support::aws::{SigningSetup, SigningWorld, sha256_hex};
use crate::support::{Placement, Request, Version, send};

/// A world whose filter sends bodies so.
fn world(version: Version, with: Option<Value>) -> SigningWorld {
    start(SigningSetup::new(Placement::ExtAuthz, version), with)
}

fn start(mut setup: SigningSetup, with: Option<Value>) -> SigningWorld {
    setup.envoy = Box::new(|config| {
        buffer(config, 4 * MIB);
        if let Some(with) = with {
            with_request_body(config, with);
        }
    });
    setup.start()
}

#[test]
fn the_body_of_the_check_is_signed_up_to_max_request_bytes() {
    for version in VERSIONS {
        let with = json!({"max_request_bytes": 2 * MIB, "pack_as_bytes": true});
        let setup = beside_an_api_key(SigningSetup::new(Placement::ExtAuthz, version));
        let world = start(setup, Some(with));
        let all: Vec<u8> = (0..=255).collect();
        for body in [b"x".to_vec(), all, bytes(64 * KIB), bytes(MIB + 1), bytes(2 * MIB - 1)] {
            let answer = world.ask(Request::post(&converse(), &*body));
            assert_eq!(answer.status, 200, "{version:?} {}: {answer:?}", body.len());
            let calls = world.bedrock.take();
            calls[0].verified();
            assert_eq!(calls[0].body_sha256, sha256_hex(&body));
            assert_eq!(calls[0].all("content-length"), [body.len().to_string()]);
        }
        for request in [
            Request::get("/async-invoke"),
            Request::post(&converse(), bytes(64 * KIB)).in_chunks(&[]),
            Request::post(&converse(), "").header("content-length", "0"),
        ] {
            let answer = world.ask(request);
            assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
            world.bedrock.take()[0].verified();
        }
        let one_check = world.bouncer.metric("bouncer_requests_total", &["ext_authz"]);
        let answer = world.ask(Request::post(&converse(), bytes(2 * MIB + 1)));
        assert_eq!(answer.status, 413, "{version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty());
        let checks = world.bouncer.metric("bouncer_requests_total", &["ext_authz"]);
        assert!(checks >= 7.0 && checks == one_check, "{version:?}: Envoy refuses it by itself: {checks}");

        // An entry that does not sign takes what comes.
        world.bedrock.take_api_key(API_KEY);
        world.secrets.add(API_KEY);
        let keyed =
            Request::post(&converse(), bytes(MIB)).bearer(&world.token("alice")).header("host", KEYED);
        assert_eq!(send(world.address(), &keyed).status, 200, "{version:?}");
        assert_eq!(world.bedrock.take()[0].body_sha256, sha256_hex(&bytes(MIB)));
    }
}

#[test]
fn what_is_over_max_body_is_refused_before_bedrock_hears_of_it() {
    for version in VERSIONS {
        let with = json!({"max_request_bytes": 2 * MIB, "pack_as_bytes": true});
        let world = start(limited(Placement::ExtAuthz, version, json!({"max_body": "64KiB"})), Some(with));
        let answer = world.ask(Request::post(&converse(), bytes(64 * KIB)));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        world.bedrock.take()[0].verified();
        let answer = world.ask(Request::post(&converse(), bytes(64 * KIB + 1)));
        assert_eq!(answer.status, 413, "{version:?}: {answer:?}");
        assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("ValidationException"));
        // A message that no decoder of ours reads: an error of the filter's, and nothing leaves.
        let answer = world.ask(Request::post(&converse(), bytes(MIB)));
        assert!((400..600).contains(&answer.status), "{version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty());
    }
}

#[test]
fn a_filter_that_does_not_send_the_whole_body_as_it_is_is_named() {
    let text = Some(json!({"max_request_bytes": 2 * MIB}));
    let part = Some(json!({"max_request_bytes": KIB, "allow_partial_message": true, "pack_as_bytes": true}));
    for version in VERSIONS {
        for (with, body, setting) in [
            (text.clone(), PROMPT.into(), "set pack_as_bytes: true"),
            (None, PROMPT.into(), "Envoy does not send the body: set with_request_body"),
            (part.clone(), bytes(2 * KIB), "allow_partial_message"),
        ] {
            let world = world(version, with);
            let answer = world.ask(Request::post(&converse(), &*body));
            assert_eq!(answer.status, 500, "{version:?} {setting}: {answer:?}");
            let chunked = world.ask(Request::post(&converse(), &*body).in_chunks(&[]));
            // Of one in chunks a filter without the setting says nothing: its absence looks like that of a body.
            assert_eq!(chunked.status, 500, "{version:?} {setting}: {chunked:?}");
            assert!(world.bedrock.take().is_empty());
            tells(&world, setting);
            // What has no body lacks nothing.
            let answer = world.ask(Request::get("/async-invoke"));
            assert_eq!(answer.status, 200, "{version:?} {setting}: {answer:?}");
            world.bedrock.take()[0].verified();
        }
    }
}
