//! Filters that are set up in a way that cannot work, or only by luck: nothing leaves unsigned with our name on it, and the
//! log names the setting.

use serde_json::{Value, json};

use super::wiring::PROMPT;
use super::wiring::{KIB, VERSIONS, buffer, bytes, converse, ends_every_stream, tells};
use crate::support::aws::SigningSetup;
use crate::support::{Placement, Request};

#[test]
fn without_allow_mode_override_the_request_leaves_without_any_credential() {
    for version in VERSIONS {
        for placement in [Placement::Downstream, Placement::Upstream] {
            let mut setup = SigningSetup::new(placement, version);
            setup.filter = |filter| filter["allow_mode_override"] = json!(false);
            let world = setup.start();
            let answer = world.ask(Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 403, "{placement:?} {version:?}: {answer:?}");
            let calls = world.bedrock.take();
            assert_eq!(calls.len(), 1);
            assert!(calls[0].all("authorization").is_empty(), "the caller's own token went with it");
            tells(&world, "allow_mode_override: true");
            ends_every_stream(&world);

            // Where the filter shows responses, the caller is told too.
            let mut setup = SigningSetup::new(placement, version);
            setup.filter = |filter| {
                filter["allow_mode_override"] = json!(false);
                filter["processing_mode"]["response_header_mode"] = json!("SEND");
            };
            let world = setup.start();
            let answer = world.ask(Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 500, "{placement:?} {version:?}: {answer:?}");
            assert!(world.bedrock.take()[0].all("authorization").is_empty());
            tells(&world, "the filter went on without the body");
        }
    }
}

/// The mode stands in the filter, and bouncer's word changes nothing.
fn fixed(filter: &mut Value, mode: &str) {
    filter["allow_mode_override"] = json!(false);
    filter["processing_mode"]["request_body_mode"] = json!(mode);
}

#[test]
fn buffered_in_the_filter_signs_and_envoy_refuses_what_is_longer() {
    for version in VERSIONS {
        let mut setup = SigningSetup::new(Placement::Downstream, version);
        setup.filter = |filter| fixed(filter, "BUFFERED");
        setup.envoy = Box::new(|config| buffer(config, 32 * KIB));
        let world = setup.start();
        for request in [
            Request::post(&converse(), PROMPT),
            Request::post(&converse(), bytes(32 * KIB)),
            Request::get("/async-invoke"),
        ] {
            let answer = world.ask(request);
            assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
            world.bedrock.take()[0].verified();
        }
        let answer = world.ask(Request::post(&converse(), bytes(200 * KIB)));
        assert_eq!(answer.status, 413, "{version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty());
        ends_every_stream(&world);
    }
}

#[test]
fn a_part_of_a_body_is_not_signed() {
    for version in VERSIONS {
        let mut setup = SigningSetup::new(Placement::Downstream, version);
        setup.filter = |filter| fixed(filter, "BUFFERED_PARTIAL");
        setup.envoy = Box::new(|config| buffer(config, 32 * KIB));
        let world = setup.start();
        let answer = world.ask(Request::post(&converse(), PROMPT));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        world.bedrock.take()[0].verified();
        let large = Request::post(&converse(), bytes(200 * KIB));
        for request in [large.clone(), large.in_chunks(&[])] {
            let answer = world.ask(request);
            assert_eq!(answer.status, 500, "{version:?}: {answer:?}");
        }
        assert!(world.bedrock.take().is_empty());
        tells(&world, "request_body_mode must become BUFFERED");

        // With the override it is BUFFERED.
        let mut setup = SigningSetup::new(Placement::Downstream, version);
        setup.filter = |filter| filter["processing_mode"]["request_body_mode"] = json!("BUFFERED_PARTIAL");
        let world = setup.start();
        let answer = world.ask(Request::post(&converse(), bytes(200 * KIB)));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        world.bedrock.take()[0].verified();
    }
}

#[test]
fn streamed_in_the_filter_is_refused_unless_there_is_no_body() {
    for version in VERSIONS {
        let mut setup = SigningSetup::new(Placement::Downstream, version);
        setup.filter = |filter| filter["processing_mode"]["request_body_mode"] = json!("STREAMED");
        let world = setup.start();
        let answer = world.ask(Request::post(&converse(), PROMPT));
        assert_eq!(answer.status, 500, "{version:?}: {answer:?}");
        assert!(world.bedrock.take().is_empty());
        tells(&world, "request_body_mode STREAMED cannot be signed");
        let answer = world.ask(Request::get("/async-invoke"));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        world.bedrock.take()[0].verified();
    }
}
