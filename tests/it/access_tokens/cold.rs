//! Before there is a token: who waits, who asks, and how often.

use serde_json::json;

use crate::support::{Log, Process, TokenSetup, TokenWorld, World, eventually};

#[test]
fn a_thousand_cold_requests_make_one_exchange() {
    let mut setup = TokenSetup::new();
    setup.log = Log::Usual;
    setup.entry("llm", 600, &json!({}));
    let world = setup.start();
    // Nobody is answered until all have asked.
    world.idp.hang();
    let mut load = Process::start(
        "h2load",
        std::process::Command::new("h2load")
            .args(["--requests=1000", "--clients=10", "--max-concurrent-streams=100", "--header"])
            .arg(format!("authorization: Bearer {}", world.caller))
            .arg("--header")
            .arg(format!(":authority: {}", World::domain("llm")))
            .arg(format!("http://{}/v1/chat/completions", world.address())),
    );
    eventually("a thousand requests that wait", || {
        (world.bouncer.metric("bouncer_streams_active", &[]) >= 1000.0).then_some(())
    });
    world.idp.go_on();
    assert!(load.wait().success());
    assert!(load.text().contains("1000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{}", load.text());
    assert_eq!(exchanges(&world, "llm"), 1);
    eventually("its event", || (world.rotations("llm").len() == 1).then_some(()));
}

#[test]
fn a_proactive_token_is_there_before_the_first_request() {
    let mut setup = TokenSetup::new();
    setup.entry("llm", 600, &json!({"refresh_policy": "proactive"}));
    let world = setup.start();
    eventually("a token", || (world.rotations("llm").len() == 1).then_some(()));
    world.idp.hang();
    assert_eq!(world.ask("llm").status, 200);
    world.idp.go_on();
    assert_eq!(exchanges(&world, "llm"), 1);
}

/// The clock is a proactive neighbour whose tokens live just as long.
#[test]
fn what_is_not_proactive_asks_for_nothing_unasked() {
    let mut setup = TokenSetup::new();
    setup.entry("clock", 4, &json!({"refresh_policy": "proactive"}));
    for policy in ["lazy", "pre-expiry"] {
        setup.entry(policy, 4, &json!({"refresh_policy": policy}));
    }
    let world = setup.start();
    let lives = |more: usize| {
        let until = exchanges(&world, "clock") + 2 * more;
        eventually("lives of the clock", || (exchanges(&world, "clock") > until).then_some(()));
    };
    lives(1);
    assert_eq!((exchanges(&world, "lazy"), exchanges(&world, "pre-expiry")), (0, 0));
    assert_eq!((world.ask("lazy").status, world.ask("pre-expiry").status), (200, 200));
    lives(3);
    assert_eq!(exchanges(&world, "lazy"), 1);
    // It was used, so it was renewed once; that one nobody used.
    assert_eq!(exchanges(&world, "pre-expiry"), 2);
    assert_eq!((world.ask("lazy").status, world.ask("pre-expiry").status), (200, 200));
}

fn exchanges(world: &TokenWorld, client: &str) -> usize {
    world.idp.exchanges(client).len()
}
