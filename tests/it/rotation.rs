//! Keys change while requests are on their way: the provider's, and the issuer's.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use crate::support::{Files, Idp, PATIENCE, Placement, Process, Request, Version, World, WorldOptions};

type Swap = fn(&Files, &str, &str, &str);

/// h2load asks throughout; the provider takes the old and the new key, as in any rotation that is done right.
#[test]
fn no_request_fails_while_the_key_is_swapped() {
    for (placement, version) in [(Placement::Downstream, Version::Oldest), (Placement::Pair, Version::Newest)]
    {
        let world = World::start(placement, version);
        let token = world.token("alice");
        let mut load = Process::start(
            "h2load",
            Command::new("h2load")
                .args(["--requests", "4000", "--clients", "4", "--max-concurrent-streams", "4"])
                .args([
                    "--header",
                    &format!("authorization: Bearer {token}"),
                    "--header",
                    &format!(":authority: {}", World::domain("openai")),
                    &format!("http://{}/v1/chat/completions", world.address()),
                ]),
        );
        let mut swaps = 0;
        let ways: [Swap; 3] = [Files::write_secret, Files::mount_secret, Files::mount_secret];
        for (way, key) in ways.into_iter().zip([1, 0, 1]) {
            if load.alive() {
                swaps += 1;
            }
            let key = &world.llms[0].keys[key];
            way(world.bouncer.files(), "openai", "api_key", key);
            until_it_arrives(&world, &token, key);
        }
        assert!(load.wait().success());
        assert!(swaps >= 2, "the load was over too soon");
        let report = load.text();
        assert!(
            report.contains("4000 succeeded, 0 failed, 0 errored"),
            "{placement:?} {version:?}: {report}"
        );
        assert!(report.contains("4000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{placement:?} {version:?}: {report}");
    }
}

#[test]
fn a_key_that_is_gone_or_empty_is_not_attached() {
    let world = World::start(Placement::Downstream, Version::Newest);
    let token = world.token("alice");
    assert_eq!(world.ask("openai", chat(&token)).status, 200);
    world.seen();
    // The last good key stays; an empty one never goes out.
    world.bouncer.files().write_secret("openai", "api_key", "");
    world.bouncer.reload();
    for _ in 0..50 {
        let status = world.ask("openai", chat(&token)).status;
        assert!([200, 503].contains(&status), "{status}");
    }
    let key = format!("Bearer {}", world.key("openai"));
    assert!(world.seen().iter().all(|seen| seen.all("authorization") == [key.as_str()]));
}

#[test]
fn a_token_of_a_new_key_is_taken_at_once_and_one_of_the_old_stays_good() {
    let (world, idp) = with_own_idp();
    let old = world.token("alice");
    assert_eq!(world.ask("openai", chat(&old)).status, 200);
    let fetched = idp.count("jwks");
    idp.rotate();
    for _ in 0..3 {
        assert_eq!(world.ask("openai", chat(&world.token("alice"))).status, 200);
        assert_eq!(world.ask("openai", chat(&old)).status, 200);
    }
    assert_eq!(idp.count("jwks"), fetched + 1);
}

#[test]
fn unknown_keys_do_not_make_the_issuer_be_asked_again_and_again() {
    let (world, idp) = with_own_idp();
    let good = world.token("alice");
    let stranger = Idp::start();
    let fetched = idp.count("jwks");
    for _ in 0..30 {
        let token = stranger.token("alice");
        world.secrets.add_token(&token);
        assert_eq!(world.ask("openai", chat(&token)).status, 401);
    }
    // Its own issuer, and kids that its set does not have.
    for n in 0..30 {
        let token = with_another_kid(&good, n);
        assert_eq!(world.ask("openai", chat(&token)).status, 401);
    }
    assert_eq!(world.ask("openai", chat(&good)).status, 200);
    assert!(idp.count("jwks") <= fetched + 1, "{} fetches", idp.count("jwks") - fetched);
}

#[test]
fn tokens_stay_good_while_the_issuer_is_down() {
    let (world, idp) = with_own_idp();
    let tokens = [world.token("alice"), world.token("batch")];
    idp.fail(503);
    for token in &tokens {
        assert_eq!(world.ask("openai", chat(token)).status, 200);
    }
    idp.repair();
}

fn with_own_idp() -> (World, Arc<Idp>) {
    let idp = Arc::new(Idp::start());
    let options =
        WorldOptions { idp: Arc::clone(&idp), ..WorldOptions::new(Placement::Downstream, Version::Newest) };
    (World::with(options), idp)
}

fn until_it_arrives(world: &World, token: &str, key: &str) {
    let deadline = Instant::now() + PATIENCE;
    let expected = format!("Bearer {key}");
    while !world.seen().iter().any(|seen| seen.all("authorization") == [expected.as_str()]) {
        assert!(Instant::now() < deadline, "the new key never arrived");
        assert_eq!(world.ask("openai", chat(token)).status, 200);
    }
}

fn with_another_kid(token: &str, n: usize) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (_, rest) = token.split_once('.').unwrap();
    let header = format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{n}"}}"#);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

fn chat(token: &str) -> Request {
    Request::post("/v1/chat/completions", "{}").bearer(token)
}
