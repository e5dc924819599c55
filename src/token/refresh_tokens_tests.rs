//! Rotation: the new one is kept before anything else happens, and nothing is used twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::testing::{GOOD, Idp, material, obtain, of, outward};
use super::super::{Fault, Grant, Outward, SourceError, Token, TokenSource, token_source};
use super::*;
use crate::cache::{Failure as _, Retry};
use crate::secrets::{FileSecrets, ReadError, SecretSource, WriteError};

const FIELDS: [(&str, &str); 2] = [("client_id", "me"), ("refresh_token", "one")];

fn source(idp: &Idp, outward: &Outward) -> Arc<dyn TokenSource> {
    token_source(&of(Grant::OAuth(idp.settings())), &material(&FIELDS), outward).unwrap()
}

fn rotated(next: &str) -> String {
    format!(r#"{{"access_token":"good","expires_in":3600,"refresh_token":"{next}"}}"#)
}

fn used(idp: &Idp) -> Vec<String> {
    idp.asked().iter().map(|asked| asked.field("refresh_token").unwrap()).collect()
}

/// A store that cannot be written.
#[derive(Default)]
struct Broken(AtomicUsize);

impl SecretSource for Broken {
    fn read(&self, _: &str, _: &str) -> Result<Option<Secret<String>>, ReadError> {
        Ok(Some(Secret::new("one".to_owned())))
    }
}

impl SecretSink for Broken {
    fn write(&self, name: &str, key: &str, _: &[u8]) -> Result<(), WriteError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(WriteError { path: format!("{name}/{key}"), kind: std::io::ErrorKind::ReadOnlyFilesystem })
    }
}

fn store(folder: &tempfile::TempDir) -> Arc<FileSecrets> {
    std::fs::create_dir(folder.path().join("idp")).unwrap();
    std::fs::write(folder.path().join("idp/refresh_token"), "one").unwrap();
    Arc::new(FileSecrets::new(folder.path().to_owned()))
}

fn stored(store: &FileSecrets) -> String {
    store.read("idp", "refresh_token").unwrap().unwrap().expose().clone()
}

#[tokio::test]
async fn a_new_refresh_token_is_stored_before_the_access_token_is_used() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    let (outward, _) = outward();
    let store = store(&folder);
    outward.refresh_tokens.store_in(store.clone());
    let source = source(&idp, &outward);
    idp.says(&[(200, &rotated("two")), (200, &rotated("three")), (200, GOOD)]);
    for expected in ["two", "three", "three", "three"] {
        assert_eq!(obtain(&*source).await.unwrap().bearer().unwrap().expose(), "good");
        assert_eq!(stored(&store), expected);
    }
    assert_eq!(used(&idp), ["one", "two", "three", "three"]);
    let asked = idp.last();
    assert_eq!(
        (asked.field("grant_type").as_deref(), asked.field("client_id").as_deref()),
        (Some("refresh_token"), Some("me"))
    );
    assert_eq!(source.name(), "refresh_token");
}

#[tokio::test]
async fn it_is_kept_also_where_the_access_token_cannot_be_used() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    let (outward, _) = outward();
    let store = store(&folder);
    outward.refresh_tokens.store_in(store.clone());
    let source = source(&idp, &outward);
    let bound = r#"{"access_token":"a","token_type":"DPoP","refresh_token":"two"}"#;
    idp.says(&[(200, bound), (200, GOOD)]);
    obtain(&*source).await.unwrap_err();
    assert_eq!(stored(&store), "two");
    obtain(&*source).await.unwrap();
    assert_eq!(used(&idp), ["one", "two"]);
}

#[tokio::test]
async fn what_cannot_be_stored_is_used_all_the_same_and_tried_again() {
    let idp = Idp::start().await;
    let (outward, _) = outward();
    let broken = Arc::new(Broken::default());
    outward.refresh_tokens.store_in(broken.clone());
    idp.says(&[(200, &rotated("two")), (200, GOOD)]);
    for _ in 0..2 {
        obtain(&*source(&idp, &outward)).await.unwrap();
    }
    assert_eq!(used(&idp), ["one", "two"], "a source that is made again goes on where the last one was");
    assert_eq!(broken.0.load(Ordering::Relaxed), 2);
}

/// Resolves once the server was asked, and leaves the exchange as it is then.
async fn until_asked(idp: &Idp, exchange: &mut (impl Future<Output = Result<Token, SourceError>> + Unpin)) {
    tokio::select! {
        biased;
        () = async { while idp.asked().is_empty() { tokio::task::yield_now().await } } => {}
        _ = exchange => panic!("too early"),
    }
}

#[tokio::test]
async fn an_exchange_that_nobody_waits_for_any_more_keeps_the_token_that_it_brought() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    let (outward, _) = outward();
    let store = store(&folder);
    outward.refresh_tokens.store_in(store.clone());
    let source = source(&idp, &outward);
    idp.says(&[(200, &rotated("two")), (200, GOOD)]);
    // The deadline of an exchange, most of which was spent on waiting for its turn.
    let mut exchange = Box::pin(obtain(&*source));
    until_asked(&idp, &mut exchange).await;
    drop(exchange);
    obtain(&*source).await.unwrap();
    assert_eq!(used(&idp), ["one", "two"], "the first one is used up");
    assert_eq!(stored(&store), "two");
}

#[tokio::test]
async fn a_refresh_token_that_the_operator_put_there_meanwhile_is_not_overwritten() {
    for theirs in [Some("other"), None] {
        let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
        let (outward, _) = outward();
        let store = store(&folder);
        outward.refresh_tokens.store_in(store.clone());
        let source = source(&idp, &outward);
        idp.says(&[(200, &rotated("two"))]);
        let mut exchange = Box::pin(obtain(&*source));
        until_asked(&idp, &mut exchange).await;
        let path = folder.path().join("idp/refresh_token");
        match theirs {
            Some(theirs) => std::fs::write(path, theirs).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        exchange.await.unwrap();
        let found = store.read("idp", "refresh_token").unwrap();
        assert_eq!(found.as_ref().map(|found| found.expose().as_str()), theirs);
    }
}

#[tokio::test]
async fn two_entries_with_one_secret_take_turns() {
    let idp = Idp::start().await;
    let (outward, _) = outward();
    outward.refresh_tokens.store_in(Arc::new(Broken::default()));
    let (a, b) = (source(&idp, &outward), source(&idp, &outward));
    idp.says(&[(200, &rotated("two")), (200, &rotated("three")), (200, GOOD)]);
    let (a, b) = tokio::join!(obtain(&*a), obtain(&*b));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(used(&idp), ["one", "two"], "used twice, it is taken for stolen");
}

#[tokio::test]
async fn a_refresh_token_that_is_over_is_the_operator_s_to_replace() {
    let idp = Idp::start().await;
    let (outward, _) = outward();
    idp.says(&[(400, r#"{"error":"invalid_grant"}"#)]);
    let error = obtain(&*source(&idp, &outward)).await.unwrap_err();
    assert_eq!((error.fault(), error.retry()), (Fault::Operator, Retry::WhenChanged));
    assert_eq!(idp.asked().len(), 1, "no loop");
}

#[tokio::test]
async fn nonsense_does_not_replace_a_refresh_token() {
    let idp = Idp::start().await;
    let (outward, _) = outward();
    let source = source(&idp, &outward);
    let long = "r".repeat(LONGEST + 1);
    for nonsense in [r#""""#, "7", "null", "[]", r#""a\nb""#, r#""é""#, &format!("\"{long}\"")] {
        idp.says(&[(200, &format!(r#"{{"access_token":"good","refresh_token":{nonsense}}}"#))]);
        obtain(&*source).await.unwrap();
    }
    assert!(used(&idp).iter().all(|used| used == "one"));
}

#[test]
fn what_was_written_here_is_no_other_secret_and_what_others_wrote_is() {
    let all = RefreshTokens::default();
    let token = |text: &str| Secret::new(text.to_owned());
    let holds = |id: &str, text: &str| material(&[("client_id", id), ("refresh_token", text)]);
    let before = holds("me", "0");
    assert!(!all.wrote(&before, &holds("me", "1")));
    let chain = all.chain("idp", &token("0"));
    let turn = Turn { chain: Arc::clone(&chain), _turn: Arc::clone(&chain.turn).try_lock_owned().unwrap() };
    for number in 1..=20 {
        turn.replace(&token(&number.to_string()));
    }
    assert!(["0", "20", "19"].into_iter().all(|text| all.wrote(&before, &holds("me", text))));
    assert!(!all.wrote(&before, &holds("me", "21")), "somebody put another one there");
    assert!(!all.wrote(&before, &holds("you", "20")), "and something else changed");
    assert!(!all.wrote(&before, &material(&[("client_id", "me")])), "it was taken away");
    assert!(Arc::ptr_eq(&chain, &all.chain("idp", &token("0"))), "the store could not be written");
    // The store took one and then no more: what it holds is known for as long as it holds it.
    chain.links().stored = token("3");
    assert!(Arc::ptr_eq(&chain, &all.chain("idp", &token("3"))));
    assert!(!Arc::ptr_eq(&chain, &all.chain("idp", &token("21"))));
    assert!(chain.links().known.len() <= KNOWN);
    assert!(!format!("{all:?} {chain:?}").contains("20"));
}
