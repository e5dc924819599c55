//! Clocks that are wrong: the host's is learned from its own answer, where TLS vouches for it, and used for that host alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::placements::PROMPT;
use super::wiring::converse;
use super::{VERSIONS, everywhere, virtual_hosts, with_tls_version};
use crate::support::aws::{Bedrock, Failure, SigningSetup, SigningWorld, unix_of};
use crate::support::{Answer, Certificates, Cluster, Host, Placement, Request, Route, Version, field, send};

/// The host `bedrock` and another one in a cluster `other`, with an entry each; both have the same keys.
fn hosts(placement: Placement, version: Version, filter: fn(&mut Value)) -> (SigningWorld, Bedrock) {
    let certificates = Arc::new(Certificates::new());
    let other = Bedrock::start_tls("us-east-1", &certificates.path());
    let setup = SigningSetup::new(placement, version);
    other.know(&setup.key);
    let address = other.address;
    let setup = SigningSetup {
        filter,
        upstream: Some(certificates),
        configure: Box::new(move |config, _| {
            let mut entry = config["providers"][0].clone();
            entry["name"] = json!("other");
            entry["match"]["cluster"] = json!(["other"]);
            if placement == Placement::Downstream {
                entry["aws"]["host"] = json!(address.to_string());
            }
            config["providers"].as_array_mut().unwrap().push(entry);
        }),
        front: Box::new(move |front| {
            let own = front.clusters[0].clone();
            let hosts = vec![Host { address, provider: None }];
            front.clusters.push(Cluster { name: "other".to_owned(), hosts, ..own });
            let route = |domain: &str, cluster: &str| Route {
                domain: domain.to_owned(),
                cluster: cluster.to_owned(),
                ..Route::default()
            };
            front.routes.push(route("other.example", "other"));
            front.routes.push(route("aged.example", "bedrock"));
            front.routes.push(route("dateless.example", "bedrock"));
        }),
        envoy: Box::new(move |config| {
            for one in virtual_hosts(config) {
                let name = one["name"].as_str().unwrap().to_owned();
                let route = &mut one["routes"][0];
                match name.as_str() {
                    "other.example" => route["route"]["host_rewrite_literal"] = json!(address.to_string()),
                    "aged.example" => {
                        route["response_headers_to_add"] = json!([{"header": {"key": "age", "value": "1"}}]);
                    }
                    "dateless.example" => route["response_headers_to_remove"] = json!(["date"]),
                    _ => {}
                }
            }
        }),
        ..setup
    };
    (setup.start(), other)
}

fn ask(world: &SigningWorld, host: &str) -> Answer {
    let request = Request::post(&converse(), PROMPT).bearer(&world.token("alice")).header("host", host);
    let answer = send(world.address(), &request);
    world.note(&answer);
    answer
}

/// Asks `domain`, whose host is `bedrock`; by how many seconds its signature was ahead of the machine's clock.
#[track_caller]
fn signed_ahead(world: &SigningWorld, domain: &str, bedrock: &Bedrock, status: u16) -> i64 {
    bedrock.take();
    let answer = ask(world, domain);
    assert_eq!(answer.status, status, "{domain}: {answer:?}");
    assert_eq!(answer.header("retry-after").as_deref(), (status == 503).then_some("1"), "{answer:?}");
    let calls = bedrock.take();
    assert_eq!(calls.len(), 1, "nothing is sent again");
    assert_eq!(calls[0].verdict.is_ok(), status == 200, "{:?}", calls[0].verdict);
    let date = unix_of(calls[0].all("x-amz-date")[0]).unwrap();
    date - calls[0].at as i64
}

#[track_caller]
fn about(seconds: i64, expected: i64) {
    // Dates are whole seconds, and a request is on its way for a while.
    assert!((seconds - expected).abs() <= 5, "{seconds} s ahead, not {expected} s");
}

#[test]
fn a_host_whose_clock_is_wrong_is_signed_for_with_its_own_time_and_no_other_host_is() {
    for (version, placement) in everywhere() {
        for ahead in [600, -600] {
            let (world, other) = hosts(placement, version, with_tls_version);
            let bedrock = &world.bedrock;
            bedrock.shift_clock(ahead);
            about(signed_ahead(&world, "bedrock.example", bedrock, 503), 0);
            about(signed_ahead(&world, "bedrock.example", bedrock, 200), ahead);
            about(signed_ahead(&world, "other.example", &other, 200), 0);
            // It is set right by and by: every good answer is believed, and none is refused on the way.
            let steps = [ahead, ahead * 2 / 3, ahead / 3, 0];
            for pair in steps.windows(2) {
                bedrock.shift_clock(pair[1]);
                about(signed_ahead(&world, "bedrock.example", bedrock, 200), pair[0]);
            }
            about(signed_ahead(&world, "bedrock.example", bedrock, 200), 0);
            // A right that is missing, said by a host whose clock is wrong, may be the clock's doing.
            bedrock.shift_clock(ahead);
            bedrock.fail_next([Failure::access_denied()]);
            assert_eq!(ask(&world, "bedrock.example").status, 503, "{version:?} {placement:?}");
            about(signed_ahead(&world, "bedrock.example", bedrock, 200), ahead);
        }
    }
}

#[test]
fn a_clock_that_nobody_vouches_for_is_not_believed_and_the_log_says_so() {
    for (version, placement) in everywhere() {
        let (world, _other) = hosts(placement, version, |_| {});
        world.bedrock.shift_clock(600);
        for _ in 0..2 {
            about(signed_ahead(&world, "bedrock.example", &world.bedrock, 502), 0);
        }
        world.bouncer.process.wait_for("why", |line| {
            let action = field(line, "action")?;
            (action.contains("upstream.tls_version among response_attributes")).then_some(())
        });
    }
}

#[test]
fn an_answer_of_a_cache_or_without_a_date_says_nothing_of_the_clock() {
    for version in VERSIONS {
        let (world, _other) = hosts(Placement::Downstream, version, with_tls_version);
        world.bedrock.shift_clock(600);
        for domain in ["aged.example", "dateless.example", "aged.example"] {
            about(signed_ahead(&world, domain, &world.bedrock, 502), 0);
        }
        about(signed_ahead(&world, "bedrock.example", &world.bedrock, 503), 0);
        about(signed_ahead(&world, "aged.example", &world.bedrock, 200), 600);
    }
}
