//! Tests of `trial.rs`.

use std::fs;

use tempfile::TempDir;
use url::Url;

use super::*;
use crate::base::{ManualClock, Secret, UnixTime};
use crate::cache::testing::PausedClock;
use crate::config::from_text;
use crate::token::{Dress, Leg, Minting, Origin, Token, TokenSource, TokenValue};

const CANARY: &str = "canary-77aa-secret";

/// Does two exchanges. The second one hangs, or brings a token of so many seconds.
#[derive(Debug)]
struct TwoLegs {
    start: Now,
    life: Option<u64>,
}

impl TokenSource for TwoLegs {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            let to = self.origin();
            let took = Duration::from_millis(12);
            legs.push(Leg { name: "discovery", hop: None, to, took, lives: None, succeeded: true });
            let Some(life) = self.life else { return std::future::pending().await };
            Ok(Token {
                value: TokenValue::Bearer(Secret::new(CANARY.to_owned())),
                expiry: Some(Expiry::after(self.start, Duration::from_secs(life))),
                refresh_in: None,
                scopes: vec!["llm:read".to_owned(), "s".repeat(1 << 20)],
            })
        })
    }

    fn name(&self) -> &'static str {
        "client_credentials"
    }

    fn origin(&self) -> Origin {
        Origin::of(&Url::parse("https://idp.example/token").unwrap())
    }
}

async fn minted(life: Option<u64>) -> (Legs, Result<Obtained, TrialError>) {
    let clock = PausedClock::new();
    let source = Arc::new(TwoLegs { start: clock.now(), life });
    let minter = Minter::new(source, Dress::default(), FingerprintKey::random().unwrap());
    let mut legs = Legs::default();
    let result = mint(&minter, &mut legs, &*clock).await;
    (legs, result)
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_a_timeout_with_the_legs_until_then() {
    let (legs, result) = minted(None).await;
    assert_eq!(result.unwrap_err(), TrialError::Source(SourceError::timeout()));
    assert_eq!(legs.iter().map(|leg| leg.name).collect::<Vec<_>>(), ["discovery"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_is_none() {
    let (_, result) = minted(Some(0)).await;
    assert_eq!(result.unwrap_err(), TrialError::Source(SourceError::over()));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_known_by_its_fingerprint_scopes_and_end_alone() {
    let (legs, result) = minted(Some(600)).await;
    let obtained = result.unwrap();
    assert!(obtained.expiry.is_some());
    let provenance = obtained.provenance.as_ref().unwrap();
    assert_eq!((provenance.source, &*provenance.scopes[0]), ("client_credentials", "llm:read"));
    assert!(provenance.scopes[1].len() < 320, "a megabyte of a scope is not kept");
    assert!(!format!("{obtained:?} {legs:?}").contains(CANARY));
}

fn configured(key: Option<&str>) -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(key) = key {
        fs::create_dir_all(folder.path().join("secrets/openai")).unwrap();
        fs::write(folder.path().join("secrets/openai/api_key"), key).unwrap();
        fs::write(folder.path().join("secrets/openai/expires_at"), "2030-01-01T00:00:00Z").unwrap();
    }
    let text = "listen: {grpc: '127.0.0.1:0'}\ncallers: {mtls: {trust_domains: [mesh.example]}}\nproviders:\n  \
                - {name: prod, provider: openai, auth_type: api_key, credential_ref: openai}\n";
    let config = from_text(&folder.path().join("bouncer.yaml"), text).unwrap();
    (folder, config)
}

async fn tried(key: Option<&str>, name: &str) -> Result<Trial, NotTried> {
    let (_folder, config) = configured(key);
    trial(&config, name, Arc::new(ManualClock::at(UnixTime(1_800_000_000)))).await
}

#[tokio::test]
async fn a_static_key_is_read_and_not_shown() {
    let trial = tried(Some(CANARY), "prod").await.unwrap();
    assert_eq!(
        (&*trial.provider, trial.source, trial.secret.as_deref()),
        ("prod", Some("secret"), Some("openai"))
    );
    let expiry = trial.result.as_ref().unwrap().expiry.unwrap();
    assert_eq!(expiry.unix().rfc3339(), "2030-01-01T00:00:00Z");
    assert!(!format!("{trial:?}").contains(CANARY));
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_said_to_be_so() {
    let trial = tried(None, "prod").await.unwrap();
    assert!(matches!(trial.result, Err(TrialError::Secret(SecretFault::Missing { .. }))));
}

#[tokio::test]
async fn a_provider_that_is_not_known_names_the_known_ones() {
    match tried(Some(CANARY), "nonsense").await {
        Err(NotTried::Unknown { known, .. }) => assert_eq!(known, ["prod".into()]),
        other => panic!("{other:?}"),
    }
}
