//! Bodies that are in Envoy before its connections are there, to the provider, to bouncer or to neither: Envoy lives, and nothing
//! passes.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::wiring::{KIB, MIB, VERSIONS, buffer, bytes, converse, full_duplex, limited};
use crate::support::aws::{SigningSetup, SigningWorld};
use crate::support::{Deaf, Log, Placement, Request, Version};

/// Takes bodies of 32 MiB, and Envoy's buffer as large.
fn setup(placement: Placement, version: Version, filter: fn(&mut Value)) -> SigningSetup {
    let mut setup = limited(placement, version, json!({"max_body": "32MiB"}));
    setup.filter = filter;
    setup.envoy = Box::new(|config| buffer(config, 40 * MIB));
    // A line for each of thousands of frames is of no use.
    setup.log = Log::Usual;
    setup
}

/// Bedrock does not answer to Envoy.
fn deaf_provider(mut setup: SigningSetup, deaf: &Deaf) -> SigningSetup {
    let address = deaf.address;
    setup.front = Box::new(move |front| front.clusters[0].hosts[0].address = address);
    setup
}

/// Nor does bouncer.
fn deaf_bouncer(mut setup: SigningSetup, deaf: &Deaf) -> SigningSetup {
    let (address, envoy) = (deaf.address, setup.envoy);
    setup.envoy = Box::new(move |config| {
        envoy(config);
        let clusters = config["clusters"].as_array_mut().unwrap();
        let bouncer = clusters.iter_mut().find(|one| one["name"] == "bouncer").unwrap();
        let socket = json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
        bouncer["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = socket;
    });
    setup
}

/// The caller is told, no provider is, and Envoy lives: it answers, and the end of the world looks at how it ended.
fn fails_closed(world: &SigningWorld, length: usize, statuses: &[u16], context: &str) {
    for request in
        [Request::post(&converse(), bytes(length)), Request::post(&converse(), bytes(length)).in_chunks(&[])]
    {
        let answer = world.ask(request);
        assert!(statuses.contains(&answer.status), "{context}: {answer:?}");
        assert!(world.bedrock.take().is_empty(), "{context}");
    }
}

#[test]
fn a_body_that_neither_bouncer_nor_bedrock_takes_ends_no_envoy() {
    let (bouncer, bedrock) = (Deaf::start(), Deaf::start());
    for version in VERSIONS {
        let world = setup(Placement::Upstream, version, full_duplex);
        let world = deaf_provider(deaf_bouncer(world, &bouncer), &bedrock).start();
        for length in [500 * KIB, 20 * MIB] {
            fails_closed(&world, length, &[500, 503], &format!("{version:?} {length}"));
        }
    }
}

#[test]
fn nothing_passes_unsigned_while_envoy_has_no_connection_to_bouncer() {
    let bouncer = Deaf::start();
    for version in VERSIONS {
        for placement in [Placement::Upstream, Placement::Pair] {
            let world = deaf_bouncer(setup(placement, version, full_duplex), &bouncer).start();
            fails_closed(&world, 10 * MIB, &[500], &format!("{placement:?} {version:?}"));
        }
    }
}

#[test]
fn a_body_that_bedrock_does_not_take_yet_ends_no_envoy() {
    let bedrock = Deaf::start();
    for version in VERSIONS {
        // The body whole, by `mode_override`, and as it comes.
        for (placement, filter) in
            [(Placement::Upstream, (|_| {}) as fn(&mut Value)), (Placement::Pair, full_duplex)]
        {
            let world = deaf_provider(setup(placement, version, filter), &bedrock).start();
            fails_closed(&world, 20 * MIB, &[503], &format!("{placement:?} {version:?}"));
        }
    }
}

#[test]
fn a_body_for_a_bouncer_that_stands_still_ends_no_envoy() {
    let bedrock = Deaf::start();
    for version in VERSIONS {
        let world = deaf_provider(setup(Placement::Upstream, version, full_duplex), &bedrock).start();
        world.bouncer.process.stop();
        let answer = world.ask(Request::post(&converse(), bytes(20 * MIB)));
        world.bouncer.process.signal(Signal::CONT);
        assert_eq!(answer.status, 503, "{version:?}: {answer:?}");
    }
}
