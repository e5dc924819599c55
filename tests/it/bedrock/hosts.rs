//! Which host is signed, and what is said of a request that goes to another one.

use serde_json::{Value, json};

use super::placements::PROMPT;
use super::wiring::converse;
use super::{VERSIONS, virtual_hosts};
use crate::support::aws::{SigningSetup, SigningWorld};
use crate::support::{Answer, Cluster, Placement, Request, Route, send};

const EAST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const WEST: &str = "bedrock-runtime.us-west-2.amazonaws.com";

/// A caller's request to this host.
fn ask(world: &SigningWorld, host: &str) -> Answer {
    let request = Request::post(&converse(), PROMPT).bearer(&world.token("alice")).header("host", host);
    let answer = send(world.address(), &request);
    world.note(&answer);
    answer
}

#[track_caller]
fn refused(answer: &Answer, sentence: &str) {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.json()["message"], sentence, "{answer:?}");
    assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("ValidationException"));
}

/// `aws.host` of an entry.
fn says(entry: &mut Value, host: Option<&str>) {
    let aws = entry["aws"].as_object_mut().unwrap();
    match host {
        Some(host) => aws.insert("host".to_owned(), json!(host)),
        None => aws.remove("host"),
    };
}

/// Every request for `domain` leaves for `host`, those for another one as they came.
fn leave_for(config: &mut Value, domain: &str, host: &str) {
    for one in virtual_hosts(config) {
        if one["name"] == domain {
            one["routes"][0]["route"]["host_rewrite_literal"] = json!(host);
        }
    }
}

#[test]
fn a_filter_in_the_listener_signs_the_host_of_aws_that_the_caller_or_the_entry_or_the_region_names() {
    for version in VERSIONS {
        for named in [None, Some("vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com")] {
            let setup = SigningSetup {
                configure: Box::new(move |config, _| {
                    says(&mut config["providers"][0], named);
                }),
                front: Box::new(|front| {
                    for domain in [EAST, WEST] {
                        front.routes.push(Route { domain: domain.to_owned(), ..front.routes[0].clone() });
                    }
                }),
                envoy: Box::new(move |config| {
                    for one in virtual_hosts(config) {
                        one["routes"][0]["route"].as_object_mut().unwrap().remove("host_rewrite_literal");
                    }
                    // The gateway's own name, which AWS does not know.
                    leave_for(config, "*", named.unwrap_or(EAST));
                    named.iter().for_each(|host| leave_for(config, EAST, host));
                }),
                ..SigningSetup::new(Placement::Downstream, version)
            };
            let world = setup.start();
            for host in [EAST, "bedrock.llm.example"] {
                let answer = ask(&world, host);
                assert_eq!(answer.status, 200, "{version:?} {named:?} {host}: {answer:?}");
                let call = world.bedrock.take().remove(0);
                assert_eq!(call.all("host"), [named.unwrap_or(EAST)]);
                call.verified();
            }
            if named.is_none() {
                let answer = ask(&world, WEST);
                refused(&answer, "The request goes to another region than the gateway signs for.");
            }
            assert!(world.bedrock.take().is_empty());
        }
    }
}

#[test]
fn a_filter_in_the_cluster_signs_no_other_host_and_region_than_its_entry_says() {
    for version in VERSIONS {
        for placement in [Placement::Upstream, Placement::Pair] {
            let setup = SigningSetup {
                configure: Box::new(|config, _| {
                    let own = config["providers"][0].clone();
                    let entry = |(name, host): (&str, Option<&str>)| {
                        let mut entry = own.clone();
                        entry["name"] = json!(name);
                        entry["match"]["cluster"] = json!([name]);
                        says(&mut entry, host);
                        entry
                    };
                    let entries = [("host", Some(EAST)), ("region", None), ("both", Some(EAST))].map(entry);
                    config["providers"] = json!(entries);
                }),
                front: Box::new(|front| {
                    let cluster = front.clusters[0].clone();
                    let route = |name: &str| Route {
                        domain: format!("{name}.example"),
                        cluster: name.to_owned(),
                        ..Route::default()
                    };
                    let named = |name: &str| Cluster { name: name.to_owned(), ..cluster.clone() };
                    front.routes = ["host", "region", "both"].map(route).to_vec();
                    front.clusters = ["host", "region", "both"].map(named).to_vec();
                }),
                envoy: Box::new(|config| {
                    leave_for(config, "region.example", WEST);
                    leave_for(config, "both.example", EAST);
                }),
                ..SigningSetup::new(placement, version)
            };
            let world = setup.start();
            let answer = ask(&world, "host.example");
            refused(&answer, "The request goes to another host than the gateway signs for.");
            let answer = ask(&world, "region.example");
            refused(&answer, "The request goes to another region than the gateway signs for.");
            assert!(world.bedrock.take().is_empty(), "{version:?} {placement:?}");
            let answer = ask(&world, "both.example");
            assert_eq!(answer.status, 200, "{version:?} {placement:?}: {answer:?}");
            let call = world.bedrock.take().remove(0);
            assert_eq!(call.all("host"), [EAST]);
            call.verified();
        }
    }
}
