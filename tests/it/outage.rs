//! The server is stopped, killed, or on its way out: nothing passes without its word, and what it began it ends.

use rustix::process::Signal;

use crate::support::{Load, Placement, Request, Version, World, WorldOptions};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

#[test]
fn nothing_passes_a_killed_server() {
    for version in VERSIONS {
        for placement in Placement::ALL {
            let mut world = World::start(placement, version);
            let token = world.token("alice");
            assert_eq!(world.ask("openai", chat(&token)).status, 200);
            world.bouncer.process.signal(Signal::KILL);
            world.bouncer.process.wait();
            let arrived = world.provider.arrived();
            for _ in 0..5 {
                let expected = if placement == Placement::ExtAuthz { 403 } else { 500 };
                assert_eq!(world.ask("openai", chat(&token)).status, expected, "{placement:?} {version:?}");
            }
            assert_eq!(world.provider.arrived(), arrived, "{placement:?} {version:?}");
        }
    }
}

#[test]
fn nothing_passes_a_stopped_server_and_everything_a_continued_one() {
    for (placement, version) in [(Placement::Downstream, Version::Oldest), (Placement::Pair, Version::Newest)]
    {
        let front = |front: &mut crate::support::Front| front.message_timeout = "0.2s".to_owned();
        let world = World::with(WorldOptions { front, ..WorldOptions::new(placement, version) });
        let token = world.token("alice");
        assert_eq!(world.ask("openai", chat(&token)).status, 200);
        world.bouncer.process.signal(Signal::STOP);
        let arrived = world.provider.arrived();
        for _ in 0..3 {
            assert_eq!(world.ask("openai", chat(&token)).status, 504, "{placement:?} {version:?}");
        }
        assert_eq!(world.provider.arrived(), arrived);
        world.bouncer.process.signal(Signal::CONT);
        assert_eq!(world.ask("openai", chat(&token)).status, 200);
    }
}

#[test]
fn a_drain_answers_what_it_began_and_lets_nothing_through_after() {
    for version in VERSIONS {
        for placement in Placement::ALL {
            let mut world = World::start(placement, version);
            let token = world.token("alice");
            let request = chat(&token).header("host", World::domain("openai"));
            let load = Load::start(world.address(), &request, 4);
            load.wait_for(50);
            world.bouncer.process.signal(Signal::TERM);
            assert!(world.bouncer.process.wait().success(), "a clean drain ends with 0");
            load.wait_for(20);
            let outcomes = load.stop();
            let down = if placement == Placement::ExtAuthz { 403 } else { 500 };
            let strange: Vec<_> =
                outcomes.iter().filter(|outcome| ![Ok(200), Ok(down)].contains(outcome)).collect();
            assert!(strange.is_empty(), "{placement:?} {version:?}: {strange:?}");
            let good = outcomes.iter().filter(|outcome| **outcome == Ok(200)).count();
            let seen = world.seen();
            assert_eq!(seen.len(), good, "{placement:?} {version:?}");
            assert_eq!(world.provider.arrived(), u64::try_from(good).unwrap());
            let key = format!("Bearer {}", world.key("openai"));
            assert!(
                seen.iter().all(|seen| seen.all("authorization") == [key.as_str()]),
                "{placement:?} {version:?}"
            );
        }
    }
}

fn chat(token: &str) -> Request {
    Request::post("/v1/chat/completions", "{}").bearer(token)
}
