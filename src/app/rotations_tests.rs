//! Tests of `rotations.rs`: from a token source or a secret to the record.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::*;
use crate::audit::testing::{Memory, in_memory};
use crate::base::{Clock as _, Expiry, FingerprintKey, Now, Secret};
use crate::cache::testing::PausedClock;
use crate::cache::{Entry, Policy, RefreshPolicy, Refresher};
use crate::config::{CredentialSettings, Feedback};
use crate::provider::{ApiKeyPlacement, Provider};
use crate::telemetry::Labels;
use crate::token::{
    Description, Dress, Legs, Minter, Minting, OAuthCode, Origin, Token, TokenEntry, TokenSource, TokenValue,
    Unready,
};

const CANARY: &str = "canary-5c1d-token";

/// Brings what its script says: a token of that many seconds' life under that name, or a refusal.
#[derive(Debug)]
struct Script {
    clock: Arc<PausedClock>,
    answers: Mutex<VecDeque<Result<(&'static str, u64), OAuthCode>>>,
}

impl std::fmt::Debug for PausedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PausedClock")
    }
}

impl TokenSource for Script {
    fn obtain<'a>(&'a self, _: &'a mut Legs) -> Minting<'a> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Err(OAuthCode::ServerError));
        Box::pin(async move {
            let (name, life) = answer.map_err(|code| {
                let description = Description::new("no\r\nno", []);
                let kind = SourceErrorKind::OAuth { code, status: 400, description, retry_after: None };
                SourceError::new("token endpoint", None, kind)
            })?;
            Ok(Token {
                value: TokenValue::Bearer(Secret::new(format!("{CANARY}-{name}"))),
                expiry: Some(Expiry::after(self.clock.now(), Duration::from_secs(life))),
                refresh_in: None,
                scopes: vec!["llm:read".to_owned(), "llm:invoke".to_owned()],
            })
        })
    }

    fn name(&self) -> &'static str {
        "client_credentials"
    }

    fn origin(&self) -> Origin {
        Origin::local()
    }
}

struct Bench {
    clock: Arc<PausedClock>,
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    memory: Memory,
    rotations: Rotations,
}

impl Bench {
    fn new() -> Self {
        let clock = PausedClock::new();
        let (audit, memory) = in_memory(Arc::clone(&clock) as _);
        let metrics = Arc::new(Metrics::new(Labels::default()));
        let rotations = Rotations::new(Arc::clone(&metrics), Arc::clone(&audit));
        Self { clock, metrics, audit, memory, rotations }
    }

    fn token(&self, answers: &[Result<(&'static str, u64), OAuthCode>]) -> Arc<TokenEntry> {
        let answers = Mutex::new(answers.iter().copied().collect());
        let script = Arc::new(Script { clock: Arc::clone(&self.clock), answers });
        let minter = Minter::new(script, Dress::default(), fingerprints());
        let policy = Policy { refresh: RefreshPolicy::PreExpiry, margin: Duration::from_secs(60) };
        let refresher = Refresher::start(Arc::clone(&self.clock) as _);
        Entry::new(Arc::new(minter), policy, "idp", self.rotations.of(&entry(Audited::Yes)), &refresher)
    }

    async fn events(&self) -> Vec<Value> {
        self.audit.close(Duration::from_secs(5)).await;
        self.memory.events()
    }

    fn now(&self) -> Now {
        self.clock.now()
    }
}

enum Audited {
    Yes,
    No,
}

fn entry(audited: Audited) -> ProviderEntry {
    ProviderEntry {
        provider: Provider {
            name: "openai-prod".into(),
            kind: ProviderKind::OpenAi,
            auth: AuthType::OAuth2,
            mfa: None,
            matches: Default::default(),
        },
        credential: CredentialSettings::ApiKey {
            credential_ref: "openai".to_owned(),
            placement: ApiKeyPlacement::bearer(),
        },
        feedback: Feedback::Off,
        audit_on_rotate: matches!(audited, Audited::Yes),
    }
}

fn fingerprints() -> FingerprintKey {
    FingerprintKey::new(&Secret::new(vec![1; 32]))
}

/// A credential is known by the line that it puts on a request.
fn token_id(number: usize) -> String {
    id(&format!("Bearer {CANARY}-{number}"))
}

fn id(text: &str) -> String {
    fingerprints().of(text.as_bytes()).to_string()
}

fn key(text: &str, now: Now) -> Held<Credential> {
    let credential = Credential::Lines(Default::default());
    Held::new(
        credential,
        fingerprints().of(text.as_bytes()),
        Some(Expiry::after(now, Duration::from_secs(60))),
    )
}

fn missing() -> SecretFault {
    SecretFault::NoKey { name: "openai".to_owned(), keys: "api_key" }
}

fn column(events: &[Value], name: &str) -> Vec<Value> {
    events.iter().map(|event| event[name].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_rotation_of_a_token_is_one_event_and_the_same_token_again_is_none() {
    let bench = Bench::new();
    let token = bench.token(&[Ok(("1", 600)), Ok(("1", 600)), Ok(("2", 600))]);
    for _ in 0..3 {
        token.renewed().await.unwrap();
    }
    let events = bench.events().await;
    assert_eq!(column(&events, "event"), ["AI_PROVIDER_TOKEN_ROTATED"; 2]);
    let (first, second) = (&events[0], &events[1]);
    assert_eq!((&first["old_token_id"], &first["reason"]), (&Value::Null, &json!("first_use")));
    assert_eq!(first["new_token_id"], token_id(1));
    assert_eq!(second["old_token_id"], first["new_token_id"]);
    assert_eq!(second["new_token_id"], token_id(2));
    assert_eq!(second["old_expires_at"], first["new_expires_at"]);
    assert_eq!(first["scopes"], json!(["llm:read", "llm:invoke"]));
    assert_eq!(first["source"], "client_credentials");
    assert_ne!(first["correlation_id"], second["correlation_id"]);
    // THREATS L09: what an auditor needs is there, and the token is not.
    assert!(!format!("{events:?} {:?} {}", bench.rotations, bench.metrics.render()).contains(CANARY));
}

/// THREATS T02: one event a failed exchange, not one a request; and one renewal is one story.
#[tokio::test(start_paused = true)]
async fn failures_and_the_rotation_that_ends_them_have_one_correlation() {
    let bench = Bench::new();
    let token = bench.token(&[Err(OAuthCode::ServerError), Err(OAuthCode::InvalidClient), Ok(("1", 600))]);
    for _ in 0..1_000 {
        assert!(token.renewed().await.is_err());
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(token.renewed().await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    token.renewed().await.unwrap();
    let events = bench.events().await;
    let (failed, rotated) = ("AI_PROVIDER_TOKEN_REFRESH_FAILED", "AI_PROVIDER_TOKEN_ROTATED");
    assert_eq!(column(&events, "event"), [failed, failed, rotated]);
    assert_eq!(column(&events[..2], "error"), ["server_error", "invalid_client"]);
    assert_eq!(column(&events[..2], "fault"), ["remote", "operator"]);
    assert_eq!(column(&events[..2], "attempt"), [1, 2]);
    assert!(events[0]["next_attempt_at"].is_string() && events[0]["expires_at"].is_null());
    let correlations = column(&events, "correlation_id");
    assert!(correlations.iter().all(|one| *one == correlations[0]), "{correlations:?}");
    assert!(column(&events, "id").windows(2).all(|pair| pair[0] != pair[1]));
    let text = bench.metrics.render();
    assert!(text.contains(r#"_refresh_total{provider="openai-prod",reason="first_use",result="failed"} 2"#));
    assert!(text.contains(r#"_refresh_duration_seconds_count{provider="openai-prod"} 3"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_wants_no_record_has_none_from_the_next_configuration_on() {
    let bench = Bench::new();
    let token = bench.token(&[Ok(("1", 600)), Ok(("2", 600)), Ok(("3", 600))]);
    token.renewed().await.unwrap();
    bench.rotations.meet(&entry(Audited::No));
    token.renewed().await.unwrap();
    bench.rotations.meet(&entry(Audited::Yes));
    token.renewed().await.unwrap();
    let events = bench.events().await;
    let ids = column(&events, "new_token_id");
    assert_eq!(ids, [token_id(1), token_id(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_key_rotates_once_and_what_stands_beside_it_does_not_count() {
    let bench = Bench::new();
    let (entry, now) = (entry(Audited::Yes), bench.now());
    bench.rotations.key_changed(&entry, None, &key("a", now));
    // Another project under the same key.
    bench.rotations.key_changed(&entry, Some(&key("a", now)), &key("a", now));
    bench.rotations.key_changed(&entry, Some(&key("a", now)), &key("b", now));
    let events = bench.events().await;
    assert_eq!(column(&events, "reason"), ["first_use", "secret_changed"]);
    assert_eq!(column(&events, "source"), ["secret", "secret"]);
    assert_eq!(column(&events, "new_token_id"), [id("a"), id("b")]);
    assert_eq!(events[0]["scopes"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_stays_unusable_is_told_once_however_often_it_is_read() {
    let bench = Bench::new();
    let (entry, now) = (entry(Audited::Yes), bench.now());
    let held = key("a", now);
    bench.rotations.key_changed(&entry, None, &held);
    for _ in 0..100 {
        bench.rotations.secret_unusable(&entry, &missing(), Some(&held));
    }
    bench.rotations.key_changed(&entry, Some(&held), &key("b", now));
    bench.rotations.secret_unusable(&entry, &missing(), Some(&held));
    bench.rotations.secret_usable(&entry);
    bench.rotations.secret_unusable(&entry, &missing(), None);
    let events = bench.events().await;
    let failed = |event: &Value| event["event"] == "AI_PROVIDER_TOKEN_REFRESH_FAILED";
    assert_eq!(events.iter().map(failed).collect::<Vec<_>>(), [false, true, false, true, true]);
    let broken = &events[1];
    assert_eq!((&broken["error"], &broken["fault"]), (&json!("unusable_material"), &json!("operator")));
    assert_eq!((&broken["reason"], &broken["next_attempt_at"]), (&json!("secret_changed"), &Value::Null));
    assert!(broken["expires_at"].is_string());
    assert_eq!(broken["correlation_id"], events[2]["correlation_id"]);
    assert_ne!(events[3]["correlation_id"], events[4]["correlation_id"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_without_its_secret_makes_no_exchange_and_no_event_of_its_own() {
    let bench = Bench::new();
    let policy = Policy { refresh: RefreshPolicy::Lazy, margin: Duration::ZERO };
    let refresher = Refresher::start(Arc::clone(&bench.clock) as _);
    let observer = bench.rotations.of(&entry(Audited::Yes));
    bench.rotations.secret_unusable(&entry(Audited::Yes), &missing(), None);
    let token = Entry::new(Arc::new(Unready(missing())), policy, "idp", observer, &refresher);
    assert!(token.renewed().await.is_err());
    assert_eq!(bench.events().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_gone_is_forgotten_unless_its_token_is_kept() {
    let bench = Bench::new();
    bench.rotations.meet(&entry(Audited::Yes));
    bench.rotations.retain(&[]);
    assert!(bench.rotations.providers().is_empty());
    let token = bench.token(&[Ok(("1", 600))]);
    bench.rotations.retain(&[]);
    bench.rotations.meet(&entry(Audited::No));
    token.renewed().await.unwrap();
    assert!(bench.events().await.is_empty(), "the kept token heard of the change");
}
