//! bouncer with nothing between it and the case: an issuer, two providers, gRPC by hand.

use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};

use super::grpc::Stream;
use super::{Bouncer, Files, Issuer, Log, PATIENCE, Secrets, provider};

/// A running bouncer. When it goes, the secrets of its fixtures are looked for in all that anybody could see.
pub(crate) struct Direct {
    pub(crate) bouncer: Bouncer,
    pub(crate) issuer: Issuer,
    pub(crate) secrets: Secrets,
    /// The key of `openai`.
    pub(crate) key: String,
}

impl Direct {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// The same with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut Value)) -> Self {
        let direct = Self::begin(Issuer::start(), |_| {}, change);
        direct.bouncer.serves();
        direct
    }

    /// The same with the log of production, and without waiting until it serves: for floods.
    pub(crate) fn quietly(prepare: impl FnOnce(&Files), change: impl FnOnce(&mut Value)) -> Self {
        Self::begin_with(Issuer::start(), prepare, change, Log::Usual)
    }

    /// Does not wait until it serves. `prepare` may change the files.
    pub(crate) fn begin(
        issuer: Issuer,
        prepare: impl FnOnce(&Files),
        change: impl FnOnce(&mut Value),
    ) -> Self {
        Self::begin_with(issuer, prepare, change, Log::Everything)
    }

    fn begin_with(
        issuer: Issuer,
        prepare: impl FnOnce(&Files),
        change: impl FnOnce(&mut Value),
        log: Log,
    ) -> Self {
        let secrets = Secrets::default();
        let files = Files::new();
        let key = new_key(&secrets);
        files.write_secret("openai", "api_key", &key);
        files.write_secret("azure", "api_key", &new_key(&secrets));
        prepare(&files);
        let mut config = json!({
            "callers": {"jwt": [issuer.entry()]},
            "mfa": {"amr": ["mfa"]},
            "providers": [entry("openai", "openai"), entry("azure", "azure-openai")],
        });
        change(&mut config);
        Self { bouncer: Bouncer::begin_with(files, config, log), issuer, secrets, key }
    }

    /// A token of a person without MFA; it must not show up anywhere.
    pub(crate) fn token(&self) -> String {
        self.token_with(&json!({}))
    }

    pub(crate) fn token_with(&self, claims: &Value) -> String {
        let token = self.issuer.token(claims);
        self.secrets.add_token(&token);
        token
    }

    /// Changes the configuration file.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.bouncer.files().path("bouncer.yaml")).unwrap();
        let mut config = serde_json::from_str(&text).unwrap();
        change(&mut config);
        self.bouncer.files().write("bouncer.yaml", &config.to_string());
    }

    /// A connection over TCP.
    pub(crate) async fn channel(&self) -> Channel {
        endpoint(format!("http://{}", self.bouncer.grpc)).connect().await.unwrap()
    }

    /// The same, as soon as the server takes one: it closes those for which it has no place.
    pub(crate) async fn channel_at_last(&self) -> Channel {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        let served = async {
            loop {
                pace.tick().await;
                if let Ok(channel) = endpoint(format!("http://{}", self.bouncer.grpc)).connect().await
                    && Stream::open(&channel, &[]).await.is_ok()
                {
                    return channel;
                }
            }
        };
        tokio::time::timeout(PATIENCE, served).await.expect("there never was a place")
    }

    /// KiB of memory that the server takes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.bouncer.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until a metric is as wanted.
    #[track_caller]
    pub(crate) fn until_metric(&self, name: &str, labels: &[&str], wanted: impl Fn(f64) -> bool) {
        eventually(name, || wanted(self.bouncer.metric(name, labels)).then_some(()));
    }

    /// Waits until `/readyz` is as wanted.
    #[track_caller]
    pub(crate) fn until_ready_page(&self, what: &str, wanted: impl Fn(u16, &str) -> bool) {
        eventually(what, || {
            let page = self.bouncer.admin("/readyz");
            wanted(page.status, &page.text()).then_some(())
        });
    }
}

/// What the configuration says of a provider that is found by its cluster.
pub(crate) fn entry(name: &str, kind: &str) -> Value {
    json!({
        "name": name, "provider": kind, "auth_type": "api_key", "credential_ref": name,
        "match": {"cluster": [name]},
    })
}

/// A key that occurs nowhere else.
pub(crate) fn new_key(secrets: &Secrets) -> String {
    let key = format!("sk-{}", provider::random());
    secrets.add(&key);
    key
}

/// Where gRPC is spoken.
pub(crate) fn endpoint(address: String) -> Endpoint {
    Endpoint::from_shared(address).unwrap().connect_timeout(PATIENCE)
}

/// Looks again and again until there is something, for as long as a test waits.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never came");
        thread::park_timeout(Duration::from_millis(5));
    }
}

impl Deref for Direct {
    type Target = Bouncer;

    fn deref(&self) -> &Bouncer {
        &self.bouncer
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        for (place, text) in self.bouncer.everything_visible() {
            self.secrets.check(place, &text);
        }
    }
}
