//! Bodies that stream through Envoy's small buffer (FULL_DUPLEX_STREAMED), and answers that stream, in every placement.

use serde_json::json;

use super::wiring::PROMPT;
use super::wiring::{
    API_KEY, KEYED, KIB, MIB, VERSIONS, beside_an_api_key, buffer, bytes, converse, ends_every_stream,
    full_duplex, limited, manager, messages, with_request_body,
};
use crate::support::aws::{MODEL, SigningSetup, SigningWorld, sha256_hex};
use crate::support::{Connection, Log, Placement, Request, Version, send};

/// Through a buffer of 32 KiB, up to 10 MiB.
fn duplex(placement: Placement, version: Version) -> SigningSetup {
    let mut setup = beside_an_api_key(limited(placement, version, json!({"max_body": "10MiB"})));
    setup.filter = full_duplex;
    setup.envoy = Box::new(|config| {
        buffer(config, 32 * KIB);
        manager(config)["http_protocol_options"] = json!({"enable_trailers": true});
    });
    // A line for each of thousands of frames is of no use.
    setup.log = Log::Usual;
    setup
}

#[test]
fn ten_mib_go_through_a_small_buffer_signed_and_identical() {
    for version in VERSIONS {
        for placement in [Placement::Downstream, Placement::Upstream] {
            let world = duplex(placement, version).start();
            let large = bytes(10 * MIB);
            for request in [
                Request::post(&converse(), &*large),
                Request::post(&converse(), &*large).in_chunks(&[]),
                Request::post(&converse(), &*large).in_chunks(&[("x-checksum", "none")]),
            ] {
                let answer = world.ask(request);
                assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
                let calls = world.bedrock.take();
                calls[0].verified();
                assert_eq!(calls[0].body_sha256, sha256_hex(&large));
                assert_eq!(calls[0].all("transfer-encoding"), ["chunked"]);
                assert!(calls[0].all("content-length").is_empty());
            }
            for length in [1, 32 * KIB, 64 * KIB + 1] {
                let answer = world.ask(Request::post(&converse(), bytes(length)));
                assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
                let calls = world.bedrock.take();
                calls[0].verified();
                assert_eq!(calls[0].body_sha256, sha256_hex(&bytes(length)));
            }
            let answer = world.ask(Request::get("/async-invoke"));
            assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
            world.bedrock.take()[0].verified();
            ends_every_stream(&world);
        }
    }
}

#[test]
fn what_is_over_max_body_is_refused_announced_or_not() {
    for version in VERSIONS {
        let mut setup = duplex(Placement::Downstream, version);
        setup.configure = Box::new(|config, _| config["limits"] = json!({"max_body": "256KiB"}));
        setup.front = Box::new(|_| {});
        let world = setup.start();
        let announced = Request::post(&converse(), "").header("content-length", (256 * KIB + 1).to_string());
        let endless = Request::post(&converse(), bytes(256 * KIB + 1)).in_chunks(&[]);
        for request in [announced, endless] {
            let answer = world.ask(request);
            assert_eq!(answer.status, 413, "{version:?}: {answer:?}");
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("ValidationException"));
        }
        assert!(world.bedrock.take().is_empty());
        let answer = world.ask(Request::post(&converse(), bytes(256 * KIB)).in_chunks(&[]));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        ends_every_stream(&world);
    }
}

#[test]
fn an_entry_with_an_api_key_passes_its_body_as_it_comes() {
    for version in VERSIONS {
        let world = duplex(Placement::Downstream, version).start();
        world.bedrock.take_api_key(API_KEY);
        world.secrets.add(API_KEY);
        let large = bytes(10 * MIB);
        let keyed = |request: Request| request.bearer(&world.token("alice")).header("host", KEYED);
        for request in [
            Request::post(&converse(), &*large),
            Request::post(&converse(), &*large).in_chunks(&[("x-checksum", "none")]),
            Request::post(&converse(), "x"),
        ] {
            let answer = send(world.address(), &keyed(request));
            assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        }
        let calls = world.bedrock.take();
        assert!(calls.iter().all(|call| call.all("authorization") == [format!("Bearer {API_KEY}")]));
        let hashes: Vec<_> = calls.iter().map(|call| &*call.body_sha256).collect();
        let large = sha256_hex(&large);
        assert_eq!(hashes, [&*large, &*large, &*sha256_hex(b"x")]);
        ends_every_stream(&world);
    }
}

/// The first event is with the caller before Bedrock goes on, and what arrives is what was sent.
fn streams(world: &SigningWorld, context: &str) {
    world.bedrock.take_api_key(API_KEY);
    world.bedrock.hold_streams();
    for operation in ["converse-stream", "invoke-with-response-stream"] {
        let request = Request::post(&format!("/model/{MODEL}/{operation}"), PROMPT);
        // As Bedrock sends it.
        world.bedrock.release();
        let sent = send(world.bedrock.address, &request.clone().bearer(API_KEY).header("host", "b.example"));
        let mut connection = Connection::open(world.address()).unwrap();
        let asked = request.bearer(&world.token("alice")).header("host", "b.example");
        let answer = connection.begin(&asked).unwrap();
        assert_eq!(answer.status, 200, "{context}: {answer:?}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/vnd.amazon.eventstream"));
        let mut came = connection.chunk().unwrap().unwrap();
        assert!(came.len() < sent.body.len(), "{context}: it was held back until its end");
        let before = messages(world);
        world.bedrock.release();
        while let Some(chunk) = connection.chunk().unwrap() {
            came.extend(chunk);
        }
        assert!(came == sent.body, "{context}: {operation}");
        assert_eq!(messages(world), before, "{context}: no part of the answer goes to bouncer");
        let calls = world.bedrock.take();
        calls[1].verified();
    }
}

#[test]
fn answers_stream_to_the_caller_in_every_placement() {
    for version in VERSIONS {
        for placement in Placement::ALL {
            let mut setup = SigningSetup::new(placement, version);
            if placement == Placement::ExtAuthz {
                setup.envoy = Box::new(|config| {
                    with_request_body(config, json!({"max_request_bytes": MIB, "pack_as_bytes": true}));
                });
            }
            streams(&setup.start(), &format!("{placement:?} {version:?}"));
        }
        streams(&duplex(Placement::Downstream, version).start(), &format!("FULL_DUPLEX {version:?}"));
    }
}
