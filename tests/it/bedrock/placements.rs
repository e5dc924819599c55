//! Bodies, by placement: what leaves Envoy is what was signed.

use serde_json::json;

use super::wiring::{PROMPT, VERSIONS, converse, with_request_body};
use crate::support::aws::{SigningSetup, SigningWorld};
use crate::support::{Placement, Request};

#[test]
fn what_leaves_is_signed_in_every_placement() {
    for version in VERSIONS {
        for placement in [Placement::Downstream, Placement::Upstream, Placement::Pair] {
            let world = SigningWorld::of(placement, version);
            let answer = world.ask(Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 200, "{placement:?} {version:?}: {answer:?}");
            let calls = world.bedrock.take();
            assert_eq!(calls.len(), 1);
            calls[0].verified();
        }
        let mut setup = SigningSetup::new(Placement::ExtAuthz, version);
        setup.envoy = Box::new(|config| {
            with_request_body(config, json!({"max_request_bytes": 16 << 20, "pack_as_bytes": true}));
        });
        let world = setup.start();
        let answer = world.ask(Request::post(&converse(), PROMPT));
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        world.bedrock.take()[0].verified();
    }
}
