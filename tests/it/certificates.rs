//! Callers that show a certificate, and Envoys that show one to bouncer.

use serde_json::{Value, json};

use crate::support::{Answer, Certificates, Placement, Request, Tls, Version, World, WorldOptions};

const BATCH: &str = "spiffe://mesh.example/ns/jobs/sa/batch";
const ENVOY: &str = "spiffe://mesh.example/ns/gateway/sa/envoy";

#[test]
fn a_certificate_is_a_workload_in_every_placement() {
    for version in [Version::Oldest, Version::Newest] {
        for placement in Placement::ALL {
            let (world, certificates) = world(placement, version, |config| trust(config, "attributes"));
            // Of several URI SANs Envoy's attribute and principal name the first and say nothing of the others.
            certificates_decide(
                &world,
                &certificates,
                &["elsewhere", "longer"],
                &format!("{placement:?} {version:?}"),
            );
        }
    }
}

#[test]
fn a_certificate_in_xfcc_is_the_same_workload() {
    for placement in [Placement::Downstream, Placement::ExtAuthz] {
        let (world, certificates) = world(placement, Version::Newest, |config| trust(config, "xfcc"));
        let strangers = ["elsewhere", "longer", "two"];
        certificates_decide(&world, &certificates, &strangers, &format!("{placement:?} by XFCC"));
    }
}

#[test]
fn a_certificate_still_counts_on_the_retry_of_a_single_upstream_filter() {
    for version in [Version::Oldest, Version::Newest] {
        let certificates = authority();
        let world = World::with(WorldOptions {
            tls: Tls::Mutual(certificates.path()),
            configure: |config| trust(config, "attributes"),
            front: |front| front.routes.iter_mut().for_each(|route| route.retries = 1),
            ..WorldOptions::new(Placement::Upstream, version)
        });
        world.provider.origin.fail_next(&[503]);
        let answer = ask(&world, &certificates, "batch", "openai", chat());
        assert_eq!(answer.status, 200, "{version:?}: {}", answer.text());
        assert_eq!(world.seen().len(), 2);
    }
}

#[test]
fn bouncer_answers_only_the_envoys_that_it_is_told_to() {
    for (name, expected) in [("envoy", 200), ("batch", 500)] {
        let certificates = authority();
        certificates.client("envoy", &[ENVOY]);
        let world = World::with(WorldOptions {
            grpc_tls: Some((certificates.path(), name.to_owned())),
            ..WorldOptions::new(Placement::Downstream, Version::Newest)
        });
        let answer = world.ask("openai", chat().bearer(&world.token("alice")));
        assert_eq!(answer.status, expected, "{name}: {}", answer.text());
        assert_eq!(world.provider.arrived(), u64::from(expected == 200));
    }
}

fn certificates_decide(world: &World, certificates: &Certificates, strangers: &[&str], place: &str) {
    let allowed = |client: &str, request: Request| {
        let answer = ask(world, certificates, client, "openai", request);
        assert_eq!(answer.status, 200, "{place}: {}", answer.text());
        let seen = world.seen();
        assert_eq!(seen.len(), 1, "{place}");
        assert_eq!(seen[0].all("authorization"), [format!("Bearer {}", world.key("openai"))], "{place}");
        assert!(seen[0].all("x-forwarded-client-cert").is_empty(), "{place}");
    };
    allowed("batch", chat());
    allowed("batch", chat().bearer(&world.token("alice")));
    allowed("batch", chat().header("x-forwarded-client-cert", "Hash=00;URI=spiffe://elsewhere.example/x"));

    let arrived = world.provider.arrived();
    let refused = |client: &str, llm: &str, request: Request, status: u16, code: &str| {
        let answer = ask(world, certificates, client, llm, request);
        assert_eq!(answer.status, status, "{place} {client}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{place} {client}");
        assert_eq!(world.provider.arrived(), arrived, "{place} {client}");
    };
    refused("batch", "openai-mfa", chat(), 403, "mfa_not_possible");
    // A token decides, a bad one too.
    refused("batch", "openai", chat().bearer("not.a.token"), 401, "invalid_token");
    refused("batch", "openai", chat().bearer(&world.token_for("alice", "other")), 401, "invalid_token");
    let forged = format!("Hash=00;URI={BATCH}");
    for stranger in strangers {
        refused(stranger, "openai", chat(), 403, "forbidden");
        refused(stranger, "openai", chat().header("x-forwarded-client-cert", &forged), 403, "forbidden");
    }
}

fn ask(world: &World, certificates: &Certificates, client: &str, llm: &str, request: Request) -> Answer {
    let request = request.header("host", World::domain(llm));
    let answer = certificates.connect(client, world.address()).send(&request).unwrap();
    world.note(&answer);
    answer
}

fn world(placement: Placement, version: Version, configure: fn(&mut Value)) -> (World, Certificates) {
    let certificates = authority();
    let tls = Tls::Mutual(certificates.path());
    (World::with(WorldOptions { tls, configure, ..WorldOptions::new(placement, version) }), certificates)
}

fn authority() -> Certificates {
    let certificates = Certificates::new();
    certificates.client("batch", &[BATCH]);
    certificates.client("elsewhere", &["spiffe://elsewhere.example/ns/jobs/sa/batch"]);
    certificates.client("longer", &["spiffe://mesh.example.elsewhere.example/ns/jobs/sa/batch"]);
    certificates.client("two", &[BATCH, "spiffe://mesh.example/ns/jobs/sa/other"]);
    certificates
}

fn trust(config: &mut Value, from: &str) {
    config["callers"]["mtls"] = json!({"from": from, "trust_domains": ["mesh.example"]});
}

fn chat() -> Request {
    Request::post("/v1/chat/completions", "{}")
}
