//! Attempts: each retry and each failover is signed anew for the host, the path and the time that it really has.

use serde_json::{Value, json};

use super::placements::PROMPT;
use super::wiring::converse;
use super::{VERSIONS, full_duplex, user, virtual_hosts};
use crate::support::aws::{
    AccessKey, Bedrock, Failure, MODEL, PROFILE_ARN, SigningSetup, SigningWorld, unix_of,
};
use crate::support::{
    Certificates, Files, Front, Host, Placement, Request, Tls, Version, eventually, field, unix_now,
};

const EAST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const WEST: &str = "bedrock-runtime.us-west-2.amazonaws.com";

const BATCH: &str = "spiffe://mesh.example/ns/jobs/sa/batch";

/// Two regions with a key each, in one cluster; the next one is asked when the one before failed.
struct Regions {
    world: SigningWorld,
    west: Bedrock,
    keys: [AccessKey; 2],
}

/// The pair behind routes that rewrite: `/gateway/…` and `/v2/…` become `/…`.
fn regions(version: Version, filter: fn(&mut Value)) -> Regions {
    let (west, western) = (Bedrock::start("us-west-2"), user("WEST"));
    west.know(&western);
    let (address, own) = (west.address, western.clone());
    let setup = SigningSetup::new(Placement::Pair, version);
    let keys = [setup.key.clone(), western];
    let setup = SigningSetup {
        filter,
        configure: Box::new(move |config, files| {
            files.write_secret("bedrock-west", "access_key_id", &own.id);
            files.write_secret("bedrock-west", "secret_access_key", &own.secret);
            // The metadata of the attempt's host says the entry, and the entry says the host and with it the region:
            // Envoy writes it when it has a connection, which is after the filter was asked where it opens one.
            let entry = |name: &str, host: &str| {
                json!({
                    "name": name, "provider": "bedrock", "auth_type": "aws_sigv4", "credential_ref": name,
                    "aws": {"host": host}, "feedback": feedback(version),
                })
            };
            config["providers"] = json!([entry("bedrock", EAST), entry("bedrock-west", WEST)]);
        }),
        front: Box::new(move |front| {
            front.routes[0].retries = 3;
            let hosts = &mut front.clusters[0].hosts;
            hosts[0].provider = Some("bedrock".to_owned());
            hosts.push(Host { address, provider: Some("bedrock-west".to_owned()) });
        }),
        envoy: Box::new(|config| {
            for (n, host) in [EAST, WEST].into_iter().enumerate() {
                let endpoint = &mut config["clusters"][0]["load_assignment"]["endpoints"][n];
                endpoint["lb_endpoints"][0]["endpoint"]["hostname"] = json!(host);
            }
            rewrite_paths(config);
            for route in virtual_hosts(config)[0]["routes"].as_array_mut().unwrap() {
                route["route"].as_object_mut().unwrap().remove("host_rewrite_literal");
                route["route"]["auto_host_rewrite"] = json!(true);
            }
        }),
        ..setup
    };
    Regions { world: setup.start(), west, keys }
}

/// Envoy before <https://github.com/envoyproxy/envoy/pull/41879> crashes where a filter in the cluster looks at the headers
/// of an answer that is tried again.
const fn feedback(version: Version) -> &'static str {
    match version {
        Version::Oldest => "off",
        Version::Newest => "answer",
    }
}

fn rewrite_paths(config: &mut Value) {
    let routes = virtual_hosts(config)[0]["routes"].as_array_mut().unwrap();
    let [mut by_prefix, mut by_pattern] = [routes[0].clone(), routes[0].clone()];
    by_prefix["match"] = json!({"prefix": "/gateway/"});
    by_prefix["route"]["prefix_rewrite"] = json!("/");
    by_pattern["match"] = json!({"prefix": "/v2/"});
    by_pattern["route"]["regex_rewrite"] =
        json!({"pattern": {"regex": "^/v2/(.*)$"}, "substitution": r"/\1"});
    routes.splice(..0, [by_prefix, by_pattern]);
}

/// Models with a colon and with `%2F`, through both rewrites, as they leave.
fn rewritten() -> [(String, String); 2] {
    let model = format!("/model/{MODEL}/converse");
    let profile = format!("/model/{}/converse", PROFILE_ARN.replace(':', "%3A").replace('/', "%2F"));
    [(format!("/gateway{model}"), model), (format!("/v2{profile}"), profile)]
}

/// What arrived since the last look: it verifies, and this path left for this host.
fn arrived(bedrock: &Bedrock, host: &str, target: &str) -> Vec<(String, String, i64)> {
    let calls = bedrock.take();
    let seen = calls.iter().map(|call| {
        let verified = call.verified();
        assert_eq!((call.all("host"), call.target.as_str()), (vec![host], target));
        let date = unix_of(&verified.date).unwrap();
        assert!(date as f64 <= call.at, "{date} is signed, and it came at {}", call.at);
        (verified.access_key_id.clone(), verified.signature.clone(), date)
    });
    seen.collect()
}

#[test]
fn the_pair_signs_every_attempt_for_its_own_host_path_key_and_time() {
    for version in VERSIONS {
        for filter in [|_: &mut Value| {}, full_duplex] {
            let Regions { world, west, keys } = regions(version, filter);
            for (sent, target) in rewritten() {
                // East, west, and east again: every host that there is failed.
                world.bedrock.hold_next();
                world.bedrock.fail_next([Failure::unavailable()]);
                west.fail_next([Failure::unavailable()]);
                let (answer, first, again) = std::thread::scope(|scope| {
                    let asking = scope.spawn(|| world.ask(Request::post(&sent, PROMPT)));
                    let first =
                        eventually("the first attempt", || arrived(&world.bedrock, EAST, &target).pop());
                    let again = eventually("another second", || {
                        let now = unix_now() as i64;
                        (now > first.2 + 1).then_some(now)
                    });
                    world.bedrock.release();
                    (asking.join().unwrap(), first, again)
                });
                assert_eq!(answer.status, 200, "{version:?} {target}: {answer:?}");
                let (second, third) = (arrived(&west, WEST, &target), arrived(&world.bedrock, EAST, &target));
                assert_eq!((second.len(), third.len()), (1, 1), "{version:?} {target}");
                let ids = [&first.0, &second[0].0, &third[0].0];
                assert_eq!(ids, [&keys[0].id, &keys[1].id, &keys[0].id]);
                assert!(second[0].2 >= again && third[0].2 >= again, "{again}: {second:?} {third:?}");
                assert_ne!(first.1, third[0].1);
            }
        }
    }
}

#[test]
fn a_single_filter_in_the_listener_replays_its_signature_within_the_window() {
    for version in VERSIONS {
        for filter in [|_: &mut Value| {}, full_duplex] {
            let setup = SigningSetup::new(Placement::Downstream, version);
            let front = Box::new(|front: &mut Front| front.routes[0].retries = 1);
            let world = SigningSetup { filter, front, ..setup }.start();
            world.bedrock.fail_next([Failure::unavailable()]);
            let answer = world.ask(Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
            let calls = world.bedrock.take();
            let signatures: Vec<_> = calls.iter().map(|call| call.verified().signature.as_str()).collect();
            assert_eq!(signatures.len(), 2, "{version:?}");
            assert_eq!(signatures[0], signatures[1], "{version:?}");
        }
    }
}

#[test]
fn a_single_filter_in_the_cluster_refuses_the_retry_of_a_token_and_says_why() {
    for version in VERSIONS {
        for filter in [|_: &mut Value| {}, full_duplex] {
            let setup = SigningSetup::new(Placement::Upstream, version);
            let front = Box::new(|front: &mut Front| front.routes[0].retries = 1);
            let configure = Box::new(move |config: &mut Value, _: &Files| {
                config["providers"][0]["feedback"] = json!(feedback(version));
            });
            let world = SigningSetup { filter, configure, front, ..setup }.start();
            world.bedrock.fail_next([Failure::unavailable()]);
            let answer = world.ask(Request::post(&converse(), PROMPT));
            assert_eq!(answer.status, 500, "{version:?}: {answer:?}");
            assert_eq!(world.bedrock.take().len(), 1);
            world.bouncer.process.wait_for("why", |line| {
                let why = field(line, "code")? == "misconfigured";
                (why && field(line, "cause")?.contains("place the pair of filters")).then_some(())
            });
        }
    }
}

#[test]
fn a_single_filter_in_the_cluster_signs_the_attempts_of_a_certificate_anew() {
    for version in VERSIONS {
        for filter in [|_: &mut Value| {}, full_duplex] {
            let certificates = Certificates::new();
            certificates.client("batch", &[BATCH]);
            let folder = certificates.path();
            let setup = SigningSetup {
                filter,
                configure: Box::new(move |config, _| {
                    config["providers"][0]["feedback"] = json!(feedback(version));
                    config["callers"]["mtls"] =
                        json!({"from": "attributes", "trust_domains": ["mesh.example"]});
                }),
                front: Box::new(move |front| {
                    front.tls = Tls::Mutual(folder);
                    front.routes[0].retries = 1;
                }),
                envoy: Box::new(rewrite_paths),
                ..SigningSetup::new(Placement::Upstream, version)
            };
            let world = setup.start();
            let host = world.bedrock.address.to_string();
            for (sent, target) in rewritten() {
                world.bedrock.hold_next();
                world.bedrock.fail_next([Failure::unavailable()]);
                let request = Request::post(&sent, PROMPT).header("host", "bedrock.llm.example");
                let (answer, first) = std::thread::scope(|scope| {
                    let asking = scope
                        .spawn(|| certificates.connect("batch", world.address()).send(&request).unwrap());
                    let first =
                        eventually("the first attempt", || arrived(&world.bedrock, &host, &target).pop());
                    eventually("another second", || (unix_now() as i64 > first.2 + 1).then_some(()));
                    world.bedrock.release();
                    (asking.join().unwrap(), first)
                });
                world.note(&answer);
                assert_eq!(answer.status, 200, "{version:?} {target}: {answer:?}");
                let again = arrived(&world.bedrock, &host, &target);
                assert_eq!(again.len(), 1, "{version:?} {target}");
                assert!(again[0].2 > first.2 + 1, "{first:?} {again:?}");
            }
        }
    }
}
