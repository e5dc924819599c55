//! Many large bodies at once: what bouncer holds of them is bounded, who finds no room waits or is told so, nobody hangs.

use std::thread;

use serde_json::json;

use super::wiring::{
    MIB, VERSIONS, bytes, converse, ends_every_stream, full_duplex, limited, memory, with_request_body,
};
use crate::support::aws::SigningWorld;
use crate::support::{Answer, Log, Placement, Request, Version, eventually, send};

const CALLERS: usize = 48;
const BODY: usize = 4 * MIB;
/// `limits.body_memory` of these worlds: a twelfth of what is sent.
const ROOM: usize = 16 * MIB;
/// KiB for all else: windows of HTTP/2, 16 MiB a connection and 400 KiB an answer, and what the allocator keeps.
const BASE: usize = 64 * 1024;

/// How bouncer comes by the bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Buffered,
    Duplex,
    Check,
}

fn world(way: Way, version: Version) -> SigningWorld {
    let placement = if way == Way::Check { Placement::ExtAuthz } else { Placement::Downstream };
    let limits = json!({"max_body": "4MiB", "body_memory": "16MiB", "patience": "300ms"});
    let mut setup = limited(placement, version, limits);
    setup.log = Log::Usual;
    if way == Way::Duplex {
        setup.filter = full_duplex;
    }
    setup.envoy = Box::new(move |config| {
        config["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(2 * BODY);
        if way == Way::Check {
            with_request_body(config, json!({"max_request_bytes": 2 * BODY, "pack_as_bytes": true}));
        }
    });
    setup.start()
}

/// Everybody at once.
fn all_ask(world: &SigningWorld) -> Vec<Answer> {
    let body = bytes(BODY);
    let token = world.token("alice");
    let request = Request::post(&converse(), body).bearer(&token).header("host", "bedrock.llm.example");
    let address = world.address();
    thread::scope(|scope| {
        let asking: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| send(address, &request))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn many_bodies_at_once_stay_within_body_memory_and_nobody_hangs() {
    for (way, version) in [Way::Buffered, Way::Duplex, Way::Check]
        .iter()
        .flat_map(|way| VERSIONS.map(|version| (*way, version)))
    {
        let world = world(way, version);
        let before = memory(&world)["VmRSS"];
        let answers = all_ask(&world);
        let (peak, context) = (memory(&world)["VmHWM"], format!("{way:?} {version:?}"));
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert!(peak <= before + ROOM / 1024 + BASE, "{context}: {peak} KiB, {before} before");
        assert_eq!(count(200) + count(503), CALLERS, "{context}: {answers:?}");
        // A check is a little longer than its body: one less of those.
        assert!(count(200) >= ROOM / BODY - 1, "{context}: who has room is served");
        for refused in answers.iter().filter(|answer| answer.status == 503) {
            assert_eq!(refused.header("retry-after").as_deref(), Some("5"));
        }
        let calls = world.bedrock.take();
        assert_eq!(calls.len(), count(200), "{context}");
        for call in &calls {
            call.verified();
        }
        ends_every_stream(&world);
        // All of the room is there again, and the allocator gives memory back while it works.
        eventually("less memory", || {
            let answer = world.ask(Request::post(&converse(), bytes(BODY)));
            assert_eq!(answer.status, 200, "{context}: {answer:?}");
            (memory(&world)["VmRSS"] <= before + BASE / 2).then_some(())
        });
    }
}
