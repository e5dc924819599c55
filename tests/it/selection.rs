//! How an entry is found by each thing that a real Envoy can say of a request, in every placement that says it.

use serde_json::{Value, json};

use crate::support::{Front, Llm, Placement, Request, Version, World, WorldOptions};

/// Each service is named after the one fact that finds its entry.
const FOUND_BY: [&str; 8] =
    ["cluster", "route", "cluster-metadata", "authority", "path", "metadata", "route-metadata", "wiring"];

/// ext_authz is told neither cluster nor route.
const BY_EXT_AUTHZ: [&str; 5] = ["authority", "path", "metadata", "route-metadata", "wiring"];

#[test]
fn every_fact_finds_its_entry_and_no_other() {
    for version in [Version::Oldest, Version::Newest] {
        for placement in Placement::ALL {
            let world = world(placement, version);
            let told: &[&str] = if placement == Placement::ExtAuthz { &BY_EXT_AUTHZ } else { &FOUND_BY };
            for llm in FOUND_BY {
                let answer = ask(&world, llm, &world.token("alice"));
                let (place, seen) = (format!("{placement:?} {version:?} {llm}"), world.seen());
                if !told.contains(&llm) {
                    assert_eq!((answer.0, seen.len()), (403, 0), "{place}: {}", answer.1);
                    continue;
                }
                assert_eq!((answer.0, seen.len()), (200, 1), "{place}: {}", answer.1);
                assert_eq!(seen[0].llm, llm, "{place}");
                assert_eq!(seen[0].all("x-llm-key"), [world.key(llm)], "{place}");
                assert!(seen[0].all("authorization").is_empty(), "{place}");
            }
        }
    }
}

/// The entry `cluster` lists the host name of `nobody` too, but Envoy says that the request goes to another cluster.
#[test]
fn a_host_name_takes_no_key_to_a_cluster_that_the_entry_does_not_list() {
    for placement in [Placement::Downstream, Placement::Upstream, Placement::Pair] {
        let world = world(placement, Version::Newest);
        let answer = ask(&world, "nobody", &world.token("alice"));
        assert_eq!(answer.0, 403, "{placement:?}: {}", answer.1);
        assert!(answer.1.contains("no_provider"), "{placement:?}: {}", answer.1);
        assert_eq!(world.provider.arrived(), 0, "{placement:?}");
    }
}

#[test]
fn a_name_that_is_not_configured_is_refused_and_not_replaced_by_a_match() {
    for placement in [Placement::Downstream, Placement::Upstream, Placement::ExtAuthz] {
        let front = |front: &mut Front| {
            front_of(front);
            front.routes.iter_mut().for_each(|route| route.provider = Some("elsewhere".to_owned()));
        };
        let options = WorldOptions { front, ..options(placement, Version::Newest) };
        let world = World::with(options);
        for llm in ["cluster", "authority", "path", "route-metadata"] {
            let answer = ask(&world, llm, &world.token("alice"));
            assert_eq!(answer.0, 500, "{placement:?} {llm}: {}", answer.1);
            assert!(answer.1.contains("misconfigured"), "{placement:?} {llm}: {}", answer.1);
        }
        assert_eq!(world.provider.arrived(), 0, "{placement:?}");
    }
}

fn world(placement: Placement, version: Version) -> World {
    World::with(options(placement, version))
}

fn options(placement: Placement, version: Version) -> WorldOptions {
    WorldOptions {
        llms: FOUND_BY.iter().chain(&["nobody"]).map(|name| Llm::new(name, "x-llm-key")).collect(),
        configure,
        front: front_of,
        ..WorldOptions::new(placement, version)
    }
}

/// Custom providers, which want their key in a header of their own.
fn configure(config: &mut Value) {
    for entry in config["providers"].as_array_mut().unwrap() {
        entry["api_key"] = json!({"header": "x-llm-key", "prefix": ""});
        entry["match"] = match entry["name"].as_str().unwrap() {
            "cluster" => json!({"cluster": ["cluster"], "authority": ["nobody.llm.example"]}),
            "route" => json!({"route": ["to-rout*"]}),
            "authority" => json!({"authority": ["Authority.llm.example"]}),
            "path" => json!({"path_prefix": ["/path/"]}),
            "metadata" => json!({"metadata": {"namespace": "llm", "key": "kind", "value": "\"a\" {b}"}}),
            _ => Value::Null,
        };
        if entry["match"].is_null() {
            entry.as_object_mut().unwrap().remove("match");
        }
    }
}

fn front_of(front: &mut Front) {
    for route in &mut front.routes {
        route.provider = (route.cluster == "wiring").then(|| "wiring".to_owned());
        match route.cluster.as_str() {
            "metadata" => route.metadata = json!({"llm": {"kind": "\"a\" {b}"}}),
            "route-metadata" => route.metadata = json!({"bouncer": {"provider": "route-metadata"}}),
            _ => {}
        }
    }
    for cluster in front.clusters.iter_mut().filter(|cluster| cluster.name == "cluster-metadata") {
        cluster.metadata = json!({"bouncer": {"provider": "cluster-metadata"}});
    }
}

fn ask(world: &World, llm: &str, token: &str) -> (u16, String) {
    let path = if llm == "path" { "/path/v1/chat" } else { "/v1/chat" };
    let answer = world.ask(llm, Request::post(path, "{}").bearer(token));
    (answer.status, answer.text())
}
