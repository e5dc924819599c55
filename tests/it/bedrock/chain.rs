//! Roles assumed one after the other: every hop is kept, renewed before it ends, and told of by its name.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::time::Instant;

use serde_json::{Value, json};

use super::placements::PROMPT;
use super::wiring::converse;
use crate::support::aws::{Hop, Moto, SigningSetup, SigningWorld, Sts};
use crate::support::{Host, Load, Placement, Request, Version, eventually, field};

const SESSION: &str = "bouncer-bedrock";
const HOPS: [Hop; 3] = [Hop::external_id("a", "tenant-1"), Hop::new("b"), Hop::new("c")];
const ROTATED: &str = "AI_PROVIDER_TOKEN_ROTATED";

/// A world whose entry assumes the roles of [`HOPS`] with a user's keys, by the session's name that they trust.
struct Chained {
    world: SigningWorld,
    sts: Sts,
    moto: Moto,
}

impl Chained {
    /// Sessions live for so many seconds. `upstream` changes what stands behind Envoy.
    fn start(
        placement: Placement,
        version: Version,
        live: Option<i64>,
        change: fn(&mut SigningSetup, &Moto),
    ) -> Self {
        let moto = Moto::start();
        let sts = Sts::start(&moto, "us-east-1");
        live.into_iter().for_each(|seconds| sts.sessions_live(seconds));
        sts.require_external_id("a", "tenant-1");
        let mut setup = SigningSetup::new(placement, version);
        setup.key = moto.chain("user", SESSION, &HOPS);
        let endpoint = sts.url();
        setup.configure = Box::new(move |config, _| {
            config["providers"][0]["aws"]["sts_endpoint"] = json!(endpoint);
            config["providers"][0]["aws"]["roles"] = json!(roles("tenant-1"));
            config["audit"] = json!({"sinks": [{"type": "file", "path": "audit.jsonl"}]});
        });
        change(&mut setup, &moto);
        let world = setup.start();
        world.bedrock.ask_for_keys(sts.key_source());
        Self { world, sts, moto }
    }

    fn request() -> Request {
        Request::post(&converse(), PROMPT)
    }

    /// The user gets another key: the chain is walked anew.
    fn rotate_the_user(&self) {
        let files = self.world.bouncer.files();
        let before = fs::read_to_string(files.path("secrets/bedrock/access_key_id")).unwrap();
        let key = self.moto.new_key("user");
        self.world.secrets.add(&key.secret);
        for (name, value) in [("access_key_id", &key.id), ("secret_access_key", &key.secret)] {
            files.write_secret("bedrock", name, value);
        }
        self.moto.delete_key("user", &before);
    }

    /// A line of the log that says so, with this in its error.
    fn not_refreshed(&self, error: &str) {
        self.world.bouncer.process.wait_for("what is wrong", |line| {
            let is = field(line, "message")? == "token not refreshed";
            (is && field(line, "error")?.contains(error)).then_some(())
        });
    }

    fn rotations(&self, role: &str) -> usize {
        let role = Moto::role_arn(role);
        self.world.events(ROTATED).iter().filter(|one| one["role"] == role.as_str()).count()
    }
}

impl Deref for Chained {
    type Target = SigningWorld;

    fn deref(&self) -> &SigningWorld {
        &self.world
    }
}

impl Drop for Chained {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // What nobody but the server and STS ever saw.
        for session in self.moto.sessions() {
            self.world.secrets.add(&session.key.secret);
            self.world.secrets.add(session.key.token.as_deref().unwrap());
        }
    }
}

fn roles(external_id: &str) -> Value {
    json!([
        {"arn": Moto::role_arn("a"), "external_id": external_id, "session_name": SESSION},
        {"arn": Moto::role_arn("b"), "session_name": SESSION},
        {"arn": Moto::role_arn("c"), "session_name": SESSION},
    ])
}

#[test]
fn every_hop_of_a_chain_is_renewed_under_load_and_no_request_is_lost() {
    const LIVES: i64 = 5;
    let world = Chained::start(Placement::Pair, Version::Newest, Some(LIVES), |_, _| {});
    let began = Instant::now();
    let request = Chained::request().bearer(&world.token("alice")).header("host", "bedrock.llm.example");
    let load = Load::start_gently(world.address(), &request, 2);
    eventually("two renewals of each hop", || {
        ["a", "b", "c"].iter().all(|hop| world.rotations(hop) >= 3).then_some(())
    });
    load.wait_for(20);
    let outcomes = load.stop();
    let elapsed = began.elapsed().as_secs_f64();
    let lost: Vec<_> = outcomes.iter().filter(|outcome| **outcome != Ok(200)).collect();
    assert!(lost.is_empty() && outcomes.len() > 100, "{} of {}: {lost:?}", lost.len(), outcomes.len());
    let ids: BTreeSet<_> =
        world.bedrock.take().iter().map(|call| call.verified().access_key_id.clone()).collect();
    assert!(ids.len() >= 3, "{ids:?}");
    let asked = world.sts.take();
    for hop in &HOPS {
        let role = Moto::role_arn(hop.role);
        let calls: Vec<_> = asked.iter().filter(|one| one.field("RoleArn") == role).collect();
        let external_id = hop.external_id.unwrap_or_default();
        assert!(calls.iter().all(|one| one.status == 200 && one.field("ExternalId") == external_id));
        // A second is what is cut off when an end is written.
        let most = 1.0 + elapsed / ((LIVES - 1) as f64 / 2.0);
        assert!(calls.len() as f64 <= most, "{role}: {} exchanges in {elapsed} s", calls.len());
    }
    // A session for each event, and an event with its role for each session; what nobody uses is renewed no more.
    let asked = RefCell::new(asked);
    eventually("an event for each session", || {
        asked.borrow_mut().extend(world.sts.take());
        let asked = asked.borrow();
        let of = |role: &str| asked.iter().filter(|one| one.field("RoleArn") == Moto::role_arn(role)).count();
        let told = HOPS.iter().all(|hop| world.rotations(hop.role) == of(hop.role));
        // One is of the user's own keys.
        (told && world.events(ROTATED).len() == asked.len() + 1).then_some(())
    });
}

#[test]
fn a_hop_that_is_revoked_is_named_and_the_last_good_keys_serve_until_their_end() {
    let world = Chained::start(Placement::Downstream, Version::Oldest, Some(4), |_, _| {});
    // Somebody else's external ID, to begin with.
    world.sts.require_external_id("a", "tenant-2");
    let answer = world.ask(Chained::request());
    assert_eq!(answer.status, 503, "{answer:?}");
    let role = |role: &str, number: u8| format!("hop {number}, {}", Moto::role_arn(role));
    world.not_refreshed(&role("a", 1));
    world.sts.require_external_id("a", "tenant-1");
    world.rotate_the_user();
    eventually("an answer", || (world.ask(Chained::request()).status == 200).then_some(()));

    world.moto.revoke("b");
    world.bedrock.take();
    let began = Instant::now();
    let refused = eventually("the end of the last good keys", || {
        let answer = world.ask(Chained::request());
        (answer.status != 200).then_some(answer)
    });
    // b's own session served on, and c's after it.
    assert!(began.elapsed().as_secs_f64() > 1.0, "{:?}", began.elapsed());
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["message"], "The gateway has no usable credential for the provider right now.");
    assert!(refused.header("retry-after").is_some());
    world.not_refreshed(&role("b", 2));
    let ready = world.bouncer.admin("/readyz").text();
    assert!(ready.contains(&role("b", 2)) && ready.contains("AccessDenied"), "{ready}");
    let served = world.bedrock.take();
    assert!(!served.is_empty() && served.iter().all(|call| call.verdict.is_ok()));

    let trusted = [Moto::session_arn("a", SESSION)];
    world.moto.trust(HOPS[1], &trusted);
    world.rotate_the_user();
    eventually("an answer", || (world.ask(Chained::request()).status == 200).then_some(()));
}

#[test]
fn a_hop_that_is_refused_for_a_moment_costs_no_request() {
    let world = Chained::start(Placement::Upstream, Version::Newest, Some(8), |_, _| {});
    assert_eq!(world.ask(Chained::request()).status, 200);
    let request = Chained::request().bearer(&world.token("alice")).header("host", "bedrock.llm.example");
    let load = Load::start_gently(world.address(), &request, 1);
    world.moto.revoke("c");
    world.not_refreshed(&format!("hop 3, {}", Moto::role_arn("c")));
    world.moto.trust(HOPS[2], &[Moto::session_arn("b", SESSION)]);
    eventually("the renewal", || (world.rotations("c") >= 2).then_some(()));
    let outcomes = load.stop();
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(200)), "{outcomes:?}");
}

/// The real `moto`, which verifies the signature and the permission of `InvokeModel`.
#[test]
fn moto_takes_what_is_signed_with_the_last_role_of_a_chain() {
    let world = Chained::start(Placement::Upstream, Version::Newest, None, |setup, moto| {
        let (address, host) = (moto.address, moto.address.to_string());
        setup.front = Box::new(move |front| front.clusters[0].hosts = vec![Host { address, provider: None }]);
        setup.envoy = Box::new(move |config| {
            let manager = &mut config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
            let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
            route["host_rewrite_literal"] = json!(host);
        });
    });
    for model in [
        "anthropic.claude-v2:1",
        "anthropic.claude-v2%3A1",
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aimported-model%2Fm",
    ] {
        let answer = world.ask(Request::post(&format!("/model/{model}/invoke"), PROMPT));
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()), "{model}");
    }
    let invoke = || Request::post("/model/anthropic.claude-v2:1/invoke", PROMPT);
    world.moto.allow_role("c", &[]);
    let answer = world.ask(invoke());
    assert!(answer.status == 403 && answer.text().contains("AccessDenied"), "{answer:?}");
    world.moto.allow_role("c", &[("bedrock:InvokeModel*", "*")]);
    assert_eq!(world.ask(invoke()).status, 200);
}
