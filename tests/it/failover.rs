//! Envoy's retries, to the same provider and to another one with another key.

use serde_json::Value;

use crate::support::{Cluster, Front, Host, Placement, Request, Route, Seen, Version, World, WorldOptions};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

#[test]
fn the_pair_attaches_the_key_again_on_every_retry() {
    for version in VERSIONS {
        let front = |front: &mut Front| front.routes.iter_mut().for_each(|route| route.retries = 3);
        let world = World::with(WorldOptions { front, ..WorldOptions::new(Placement::Pair, version) });
        world.provider.origin.fail_next(&[503, 500, 502]);
        let answer = world.ask("openai-mfa", chat(&world.token("alice-mfa")));
        assert_eq!(answer.status, 200, "{version:?}: {}", answer.text());
        let key = format!("Bearer {}", world.key("openai-mfa"));
        assert_eq!(
            keys(&world.seen()),
            vec![("openai-mfa".to_owned(), vec![key], Vec::new()); 4],
            "{version:?}"
        );
    }
}

#[test]
fn a_failover_puts_the_other_providers_key_on() {
    for version in VERSIONS {
        let world = failover(version, |front| to(front, [(0, "openai"), (1, "azure")]));
        world.provider.origin.fail_next(&[503]);
        let answer = world.ask("openai", chat(&world.token("alice")));
        assert_eq!(answer.status, 200, "{version:?}: {}", answer.text());
        let first = ("openai".to_owned(), vec![format!("Bearer {}", world.key("openai"))], Vec::new());
        let second = ("azure".to_owned(), Vec::new(), vec![world.key("azure").to_owned()]);
        assert_eq!(keys(&world.seen()), [first, second], "{version:?}");
    }
}

#[test]
fn a_failover_to_a_provider_with_mfa_asks_for_it() {
    for version in VERSIONS {
        let world = failover(version, |front| to(front, [(0, "openai"), (3, "openai-mfa")]));
        world.provider.origin.fail_next(&[503]);
        let answer = world.ask("openai", chat(&world.token("alice")));
        assert_eq!(answer.status, 401, "{version:?}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "insufficient_user_authentication");
        assert_eq!(world.provider.arrived(), 1);
        world.seen();

        world.provider.origin.fail_next(&[503]);
        assert_eq!(world.ask("openai", chat(&world.token("alice-mfa"))).status, 200);
        let llms: Vec<_> = world.seen().into_iter().map(|seen| seen.llm).collect();
        assert_eq!(llms, ["openai", "openai-mfa"]);
    }
}

#[test]
fn a_single_upstream_filter_refuses_the_retry_of_a_token_and_says_why() {
    for version in VERSIONS {
        let front = |front: &mut Front| front.routes.iter_mut().for_each(|route| route.retries = 1);
        let world = World::with(WorldOptions { front, ..WorldOptions::new(Placement::Upstream, version) });
        let token = world.token("alice");
        assert_eq!(world.ask("openai", chat(&token)).status, 200);
        world.seen();
        world.provider.origin.fail_next(&[503]);
        let answer = world.ask("openai", chat(&token));
        assert_eq!(answer.status, 500, "{version:?}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "misconfigured");
        assert_eq!(world.seen().len(), 1);
    }
}

#[test]
fn an_upstream_half_without_the_other_half_refuses() {
    for version in VERSIONS {
        let world = World::start(Placement::HalfAPair, version);
        let answer = world.ask("openai", chat(&world.token("alice")));
        assert_eq!(answer.status, 500, "{version:?}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "misconfigured");
        assert_eq!(world.provider.arrived(), 0);
    }
}

/// A world in which the hosts of one cluster name their providers.
fn failover(version: Version, front: fn(&mut Front)) -> World {
    let configure = |config: &mut Value| {
        for entry in config["providers"].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("match");
        }
    };
    World::with(WorldOptions { front, configure, ..WorldOptions::new(Placement::Pair, version) })
}

/// One cluster with these two, by their place among the usual clusters.
fn to(front: &mut Front, hosts: [(usize, &str); 2]) {
    let hosts = hosts.map(|(at, provider)| Host {
        address: front.clusters[at].hosts[0].address,
        provider: Some(provider.to_owned()),
    });
    front.clusters = vec![Cluster { name: "llm".to_owned(), hosts: hosts.to_vec(), ..Cluster::default() }];
    let domain = World::domain("openai");
    front.routes = vec![Route { domain, cluster: "llm".to_owned(), retries: 1, ..Route::default() }];
}

/// Who was asked, with what in `authorization` and in `api-key`.
fn keys(seen: &[Seen]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let all = |seen: &Seen, name: &str| seen.all(name).into_iter().map(str::to_owned).collect();
    seen.iter().map(|one| (one.llm.clone(), all(one, "authorization"), all(one, "api-key"))).collect()
}

fn chat(token: &str) -> Request {
    Request::post("/v1/chat/completions", "{}").bearer(token)
}
