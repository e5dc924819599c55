//! Tests of `credentials.rs`: what outlives a reload, and what does not.

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;

use super::*;
use crate::audit::Audit;
use crate::base::Secret;
use crate::base::{Clock, SystemClock};
use crate::config::from_text;
use crate::outbound::Http;
use crate::secrets::ReadError;
use crate::telemetry::{Labels, Metrics};

/// The secret `client` in memory.
#[derive(Default)]
struct Store(StdMutex<BTreeMap<&'static str, &'static str>>);

impl SecretSource for Store {
    fn read(&self, _: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
        Ok(self.0.lock().unwrap().get(key).map(|value| Secret::new((*value).to_owned())))
    }
}

fn store(fields: &[(&'static str, &'static str)]) -> Store {
    Store(StdMutex::new(fields.iter().copied().collect()))
}

fn credentials() -> Credentials {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new(Labels::default()));
    let audit = Arc::new(Audit::start(&Default::default(), Arc::clone(&clock)));
    let rotations = Arc::new(Rotations::new(metrics, audit));
    Credentials::new(Outward::new(Http::new().unwrap(), clock), FingerprintKey::random().unwrap(), rotations)
}

fn entries(scopes: &str) -> Vec<ProviderEntry> {
    let text = format!(
        "listen: {{grpc: \"127.0.0.1:0\"}}\ncallers: {{mtls: {{trust_domains: [mesh.example]}}}}\nproviders:\n  - provider: custom\n    \
         auth_type: oauth2\n    token_endpoint: http://127.0.0.1:9/token\n    credential_ref: client\n    scopes: [{scopes}]\n"
    );
    from_text(std::path::Path::new("bouncer.yaml"), &text).unwrap().providers
}

fn slot(credentials: &Credentials, scopes: &str, store: &Store) -> (Slot, Option<SecretFault>) {
    credentials.slot(&entries(scopes)[0], store, &mut Readings::new())
}

fn same(one: &Slot, other: &Slot) -> bool {
    matches!((one, other), (Slot::Renewed(one), Slot::Renewed(other)) if Arc::ptr_eq(one, other))
}

#[tokio::test]
async fn a_token_outlives_a_reload_that_does_not_concern_it() {
    let (credentials, store) = (credentials(), store(&[("client_id", "a"), ("client_secret", "b")]));
    let (first, fault) = slot(&credentials, "read", &store);
    assert_eq!(fault, None);
    credentials.retain(&entries("read"));
    assert!(same(&first, &slot(&credentials, "read", &store).0));
    assert!(!same(&first, &slot(&credentials, "write", &store).0), "another scope is another token");
}

#[tokio::test]
async fn a_token_whose_entry_is_gone_is_let_go() {
    let (credentials, store) = (credentials(), store(&[("client_id", "a"), ("client_secret", "b")]));
    let (Slot::Renewed(entry), _) = slot(&credentials, "read", &store) else { panic!("a token") };
    let gone = Arc::downgrade(&entry);
    drop(entry);
    credentials.retain(&entries("write"));
    assert_eq!(credentials.tokens.len(), 0);
    assert!(gone.upgrade().is_none(), "nothing would renew it");
}

#[tokio::test]
async fn a_secret_that_is_not_fit_is_told_of_at_every_reading() {
    let (credentials, store) = (credentials(), store(&[("client_id", "a")]));
    let first = slot(&credentials, "read", &store).1;
    assert!(first.is_some());
    assert_eq!(slot(&credentials, "read", &store).1, first);
    store.0.lock().unwrap().insert("client_secret", "b");
    assert_eq!(slot(&credentials, "read", &store).1, None);
    store.0.lock().unwrap().remove("client_secret");
    assert_eq!(slot(&credentials, "read", &store).1, first);
    assert_eq!(slot(&credentials, "read", &store).1, first);
}
