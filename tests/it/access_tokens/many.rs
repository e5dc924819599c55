//! Ten thousand providers of one identity provider start together.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::grpc::{Question, process};
use crate::support::{Bouncer, Files, Issuer, Log, Secrets, TokenEndpoint, endpoint, eventually, new_key};

const MANY: usize = 10_000;

/// As many at once towards one place as `cache/lanes.rs` allows the clock.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_providers_do_not_fall_upon_their_identity_provider() {
    let (issuer, secrets) = (Issuer::start(), Secrets::default());
    let (one, hanging) = (TokenEndpoint::start_held(), TokenEndpoint::start_held());
    let files = Files::new();
    files.write_secret("shared", "client_id", "bouncer");
    files.write_secret("shared", "client_secret", &new_key(&secrets));
    for n in 0..MANY {
        let name = format!("llm-{n}");
        files.write(&format!("providers.d/{name}.yaml"), &entry(&name, &one).to_string());
    }
    // The hanging one's come first, so that whoever waits in line waits for them.
    let config = json!({
        "callers": {"jwt": [issuer.entry()]},
        "providers": (0..100).map(|n| entry(&format!("hanging-{n}"), &hanging)).collect::<Vec<_>>(),
        "providers_dir": "providers.d",
    });
    let bouncer = Bouncer::begin_with(files, config, Log::Usual);
    // It is ready although nobody has answered yet.
    bouncer.serves();
    eventually("the first ones", || (one.waiting() == AT_ONCE).then_some(()));
    assert!(hanging.most() <= AT_ONCE);
    let began = Instant::now();
    one.let_go();
    while one.exchanges() < MANY {
        assert!(began.elapsed() < Duration::from_secs(120), "{} of {MANY}", one.exchanges());
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(one.most(), AT_ONCE);
    let channel = endpoint(format!("http://{}", bouncer.grpc)).connect().await.unwrap();
    let token = issuer.token(&json!({}));
    secrets.add_token(&token);
    let question = Question::chat(&token).to(&format!("llm-{}", MANY - 1));
    assert!(process(&channel, &question).await.authorization().starts_with("Bearer token-"));
    assert_eq!(one.exchanges(), MANY, "one each");
    for (place, text) in bouncer.everything_visible() {
        secrets.check(place, &text);
    }
}

fn entry(name: &str, endpoint: &TokenEndpoint) -> Value {
    json!({
        "name": name, "provider": "custom", "auth_type": "oauth2", "credential_ref": "shared",
        "token_endpoint": endpoint.url(), "refresh_policy": "proactive", "match": {"cluster": [name]},
    })
}
