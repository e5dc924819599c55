//! What the provider says to our credential, through real Envoys.

use serde_json::{Value, json};

use crate::support::{Front, Pace, Placement, Request, Told, Version, World, WorldOptions};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];
const PLACEMENTS: [Placement; 3] = [Placement::Downstream, Placement::Upstream, Placement::Pair];

fn answer(config: &mut Value) {
    for entry in config["providers"].as_array_mut().unwrap() {
        entry["feedback"] = json!("answer");
    }
}

fn chat(token: &str) -> Request {
    Request::post("/v1/chat/completions", "{}").bearer(token)
}

#[test]
fn explore() {
    for version in VERSIONS {
        for placement in PLACEMENTS {
            let world =
                World::with(WorldOptions { configure: answer, ..WorldOptions::new(placement, version) });
            let token = world.token("alice");
            for status in [200, 401, 403] {
                if status != 200 {
                    world.provider.origin.fail_next(&[status]);
                }
                let answer = world.ask("openai", chat(&token));
                eprintln!(
                    "YY {version:?} {placement:?} {status} -> {} {:?} {}",
                    answer.status,
                    answer.headers,
                    answer.text()
                );
            }
            if std::env::var("XLOCAL").is_ok() {
                let answer = world.ask("openai", chat(&token).header("x-local", "request"));
                eprintln!(
                    "YY local {version:?} {placement:?} -> {} {:?} {}",
                    answer.status,
                    answer.headers,
                    answer.text()
                );
            }
            for line in
                world.bouncer.process.text().lines().filter(|l| l.contains("XX") || l.contains("refused by"))
            {
                eprintln!("{line}");
            }
            eprintln!("streams {}", world.bouncer.metric("bouncer_streams_active", &[]));
        }
    }
}

#[test]
fn explore_stream() {
    for version in VERSIONS {
        for placement in PLACEMENTS {
            let world =
                World::with(WorldOptions { configure: answer, ..WorldOptions::new(placement, version) });
            let token = world.token("alice");
            world.provider.origin.answer_next(Told {
                status: 200,
                body: "x".repeat(1000),
                pace: Pace::Held,
                ..Told::default()
            });
            let t = std::time::Instant::now();
            std::thread::scope(|scope| {
                let h = scope.spawn(|| world.ask("openai", chat(&token)));
                while !world.bouncer.process.text().contains("XX details") {
                    std::thread::yield_now();
                }
                std::thread::sleep(std::time::Duration::from_millis(300));
                eprintln!(
                    "YY {version:?} {placement:?} streams while body held {}",
                    world.bouncer.metric("bouncer_streams_active", &[])
                );
                world.provider.origin.release();
                let a = h.join().unwrap();
                eprintln!("YY {} {} {:?}", a.status, a.body.len(), t.elapsed());
            });
        }
    }
}

#[test]
fn explore_body() {
    for version in VERSIONS {
        for placement in PLACEMENTS {
            for limit in [0, 32768] {
                let front: fn(&mut Front) = |_| {};
                let world = World::with(WorldOptions {
                    configure: answer,
                    front,
                    ..WorldOptions::new(placement, version)
                });
                let token = world.token("alice");
                for size in [0, 100, 8192, 60_000] {
                    world.provider.origin.answer_next(Told {
                        status: 403,
                        body: "x".repeat(size),
                        ..Told::default()
                    });
                    let t = std::time::Instant::now();
                    let a = world.ask("openai", chat(&token));
                    eprintln!(
                        "YY {version:?} {placement:?} {limit} {size} -> {} {} {:?} {:?}",
                        a.status,
                        a.body.len(),
                        t.elapsed(),
                        a.headers
                    );
                }
                for line in world
                    .bouncer
                    .process
                    .text()
                    .lines()
                    .filter(|l| l.contains("XX body") || l.contains("refused by"))
                {
                    eprintln!("{line}");
                }
                break;
            }
        }
    }
}
