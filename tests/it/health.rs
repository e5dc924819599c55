//! What operators see: alive, ready, counted.

use std::sync::Arc;
use std::time::Instant;

use crate::support::{Idp, PATIENCE, Placement, Request, Until, Version, World, WorldOptions};

#[test]
fn a_server_that_has_everything_is_alive_and_ready() {
    let world = World::start(Placement::Downstream, Version::Newest);
    assert_eq!(world.bouncer.admin("/healthz").status, 200);
    let ready = world.bouncer.admin("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert_eq!(world.bouncer.admin("/elsewhere").status, 404);
}

#[test]
fn a_server_without_an_issuers_keys_is_alive_but_not_ready_and_nothing_passes() {
    let idp = Arc::new(Idp::start());
    let token = idp.token("alice");
    idp.fail(503);
    let world = World::with(WorldOptions {
        idp: Arc::clone(&idp),
        until: Until::Listens,
        ..WorldOptions::new(Placement::Downstream, Version::Newest)
    });
    world.secrets.add_token(&token);
    assert_eq!(world.bouncer.admin("/healthz").status, 200);
    assert_eq!(world.bouncer.admin("/readyz").status, 503);
    let answer = world.ask("openai", Request::post("/v1/chat/completions", "{}").bearer(&token));
    assert!(answer.status >= 400, "{}", answer.text());
    assert_eq!(world.provider.arrived(), 0);

    // It asks again by itself.
    idp.repair();
    world.bouncer.serves();
    assert_eq!(world.bouncer.admin("/readyz").status, 200);
    assert_eq!(world.ask("openai", Request::post("/v1/chat/completions", "{}").bearer(&token)).status, 200);
}

#[test]
fn requests_are_counted_by_provider_and_decision() {
    for placement in [Placement::Downstream, Placement::ExtAuthz] {
        let world = World::start(placement, Version::Newest);
        let token = world.token("alice");
        for _ in 0..3 {
            world.ask("openai", Request::post("/v1/chat/completions", "{}").bearer(&token));
        }
        world.ask("openai", Request::post("/v1/chat/completions", "{}"));
        world.ask("openai-mfa", Request::post("/v1/chat/completions", "{}").bearer(&token));
        let service =
            if placement == Placement::ExtAuthz { r#"service="ext_authz""# } else { r#"service="ext_proc""# };
        let count = |labels: &[&str]| world.bouncer.metric("bouncer_requests_total", labels);
        assert_eq!(count(&[service, r#"provider="openai""#]) as u64, 4);
        assert_eq!(count(&[service, r#"provider="openai""#, r#"code="missing_token""#]) as u64, 1);
        assert_eq!(
            count(&[service, r#"provider="openai-mfa""#, r#"code="insufficient_user_authentication""#])
                as u64,
            1
        );
        // Envoy lets go of a stream after it has answered the caller.
        let deadline = Instant::now() + PATIENCE;
        while world.bouncer.metric("bouncer_streams_active", &[]) != 0.0 {
            assert!(Instant::now() < deadline, "a stream stays");
        }
    }
}
