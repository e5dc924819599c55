//! Tests of `static_key.rs`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::base::{Clock as _, ManualClock, UnixTime};
use crate::cache::Availability;
use crate::credential::ApiKeyError;

/// The secret `openai` in memory; optionally it is another one after some reads.
#[derive(Default)]
struct Source {
    fields: Mutex<BTreeMap<&'static str, &'static str>>,
    swap: Mutex<Option<(usize, BTreeMap<&'static str, &'static str>)>>,
}

impl Source {
    fn of(fields: &[(&'static str, &'static str)]) -> Self {
        Self { fields: Mutex::new(fields.iter().copied().collect()), ..Self::default() }
    }

    fn put(&self, fields: &[(&'static str, &'static str)]) {
        *self.fields.lock().unwrap() = fields.iter().copied().collect();
    }
}

impl SecretSource for Source {
    fn read(&self, name: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
        if name != "openai" {
            return Err(ReadError::Missing { path: format!("/secrets/{name}") });
        }
        let mut swap = self.swap.lock().unwrap();
        if let Some((reads, _)) = swap.as_mut() {
            *reads -= 1;
            if *reads == 0
                && let Some((_, fields)) = swap.take()
            {
                *self.fields.lock().unwrap() = fields;
            }
        }
        Ok(self.fields.lock().unwrap().get(key).map(|value| Secret::new((*value).to_owned())))
    }
}

/// What became of the credential when its secret was read.
#[derive(Debug, PartialEq, Eq)]
enum Rotation {
    First,
    Rotated,
    Unchanged,
}

fn load(handle: &Handle<Credential>, source: &dyn SecretSource) -> Result<Rotation, SecretFault> {
    let (placement, fingerprints) = (ApiKeyPlacement::bearer(), FingerprintKey::random().unwrap());
    let key =
        StaticKey { handle, kind: ProviderKind::OpenAi, placement: &placement, fingerprints: &fingerprints };
    let Some(held) = load_static(source, "openai", &key, at(0))? else { return Ok(Rotation::Unchanged) };
    let rotation = if handle.held().is_some() { Rotation::Rotated } else { Rotation::First };
    handle.put(held);
    Ok(rotation)
}

fn at(unix: u64) -> Now {
    ManualClock::at(UnixTime(unix)).now()
}

fn lines(handle: &Handle<Credential>) -> Vec<String> {
    let credential = &handle.held().unwrap().value;
    let text = |line: &SetHeader| format!("{}: {}", utf8(&line.name), utf8(line.value.wire()));
    let Credential::Lines(lines) = credential else { panic!("a key is lines") };
    lines.set.iter().map(text).collect()
}

fn utf8(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn each_spelling_of_the_key_is_found() {
    for spelling in KEYS {
        let key = read_api_key(&Source::of(&[(spelling, "sk-1")]), "openai").unwrap();
        assert_eq!(key.key.expose(), "sk-1");
        assert!(key.organization.is_none() && key.project.is_none() && key.expires_at.is_none());
    }
}

#[test]
fn two_spellings_must_agree() {
    assert!(read_api_key(&Source::of(&[("api_key", "a"), ("api-key", "a")]), "openai").is_ok());
    let error = read_api_key(&Source::of(&[("apiKey", "a"), ("api-key", "b")]), "openai").unwrap_err();
    assert_eq!(error, SecretFault::Ambiguous { name: "openai".to_owned(), keys: KEYS_TEXT });
}

#[test]
fn optional_fields_go_where_they_belong() {
    let handle = Handle::default();
    let fields = [
        ("api_key", "sk-1"),
        ("organization", "org-1"),
        ("project", "proj-1"),
        ("expires_at", "1970-01-01T00:01:40Z"),
    ];
    assert_eq!(load(&handle, &Source::of(&fields)), Ok(Rotation::First));
    assert_eq!(
        lines(&handle),
        ["authorization: Bearer sk-1", "openai-organization: org-1", "openai-project: proj-1"]
    );
    assert!(handle.with(at(99), |_| ()).is_ok());
    assert_eq!(handle.with(at(100), |_| ()).err(), Some(Availability::Expired));
}

#[test]
fn a_new_value_rotates_and_the_same_one_does_not() {
    let (handle, source) = (Handle::default(), Source::of(&[("api_key", "sk-1")]));
    assert_eq!(load(&handle, &source), Ok(Rotation::First));
    assert_eq!(load(&handle, &source), Ok(Rotation::Unchanged));
    source.put(&[("api_key", "sk-2")]);
    assert_eq!(load(&handle, &source), Ok(Rotation::Rotated));
    assert_eq!(lines(&handle), ["authorization: Bearer sk-2"]);
    source.put(&[("api_key", "sk-2"), ("project", "p")]);
    assert_eq!(load(&handle, &source), Ok(Rotation::Rotated));
    source.put(&[("api_key", "sk-2"), ("project", "p"), ("expires_at", "4102444800")]);
    assert_eq!(load(&handle, &source), Ok(Rotation::Rotated));
    assert_eq!(load(&handle, &source), Ok(Rotation::Unchanged));
}

#[test]
fn every_fault_keeps_the_last_good_credential() {
    let name = || "openai".to_owned();
    let faults: [(&[(&str, &str)], SecretFault); 8] = [
        (&[], SecretFault::NoKey { name: name(), keys: KEYS_TEXT }),
        (&[("key", "sk-2")], SecretFault::NoKey { name: name(), keys: KEYS_TEXT }),
        (&[("api_key", "")], SecretFault::Unusable { name: name(), what: ApiKeyError::Empty("api_key") }),
        (
            &[("api_key", "sk-2\r\nx: y")],
            SecretFault::Unusable { name: name(), what: ApiKeyError::Character("api_key") },
        ),
        (
            &[("api_key", "s k")],
            SecretFault::Unusable { name: name(), what: ApiKeyError::Character("api_key") },
        ),
        (
            &[("api_key", "sk-2"), ("project", "")],
            SecretFault::Unusable { name: name(), what: ApiKeyError::Empty("project") },
        ),
        (&[("api_key", "sk-2"), ("expires_at", "")], SecretFault::ExpiresAt { name: name() }),
        (&[("api_key", "sk-2"), ("expires_at", "soon")], SecretFault::ExpiresAt { name: name() }),
    ];
    for (fields, fault) in faults {
        let (handle, source) = (Handle::default(), Source::default());
        source.put(fields);
        assert_eq!(load(&handle, &source), Err(fault.clone()));
        assert!(handle.held().is_none(), "no empty header: {fault}");
        source.put(&[("api_key", "sk-1")]);
        load(&handle, &source).unwrap();
        source.put(fields);
        assert_eq!(load(&handle, &source), Err(fault.clone()));
        assert_eq!(lines(&handle), ["authorization: Bearer sk-1"]);
        assert!(!format!("{fault} {fault:?}").contains("sk-2"));
    }
    let source = Source::default();
    let missing = read_api_key(&source, "gone").unwrap_err();
    assert_eq!(missing, SecretFault::Missing { name: "gone".to_owned(), path: "/secrets/gone".to_owned() });
}

#[test]
fn what_the_store_cannot_read_is_named() {
    struct Broken(Cell<Option<ReadError>>);
    // The test has one thread.
    struct Once(Mutex<Broken>);
    impl SecretSource for Once {
        fn read(&self, _: &str, _: &str) -> Result<Option<Secret<String>>, ReadError> {
            Err(self.0.lock().unwrap().0.take().unwrap())
        }
    }
    let (name, path) = (|| "openai".to_owned(), || "/s".to_owned());
    for (error, fault) in [
        (ReadError::Name { name: name() }, SecretFault::Name { name: name() }),
        (
            ReadError::Io { path: path(), kind: std::io::ErrorKind::PermissionDenied },
            SecretFault::Read { name: name(), path: path(), kind: std::io::ErrorKind::PermissionDenied },
        ),
        (
            ReadError::TooLarge { path: path() },
            SecretFault::NotText { name: name(), key: "api_key".to_owned() },
        ),
        (
            ReadError::NotText { path: path() },
            SecretFault::NotText { name: name(), key: "api_key".to_owned() },
        ),
    ] {
        let source = Once(Mutex::new(Broken(Cell::new(Some(error)))));
        assert_eq!(read_api_key(&source, "openai").unwrap_err(), fault);
    }
}

#[test]
fn a_swap_between_two_fields_does_not_mix_two_versions() {
    for reads in 1..=8 {
        let source = Source::of(&[("api_key", "old"), ("project", "old")]);
        let new = BTreeMap::from([("api_key", "new"), ("project", "new")]);
        *source.swap.lock().unwrap() = Some((reads, new));
        let key = read_api_key(&source, "openai").unwrap();
        assert_eq!(key.project.as_ref(), Some(&key.key), "swapped at read {reads}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let handle = Handle::default();
    let source = Source::of(&[("api_key", "hunter2"), ("organization", "hunter2"), ("project", "hunter2")]);
    load(&handle, &source).unwrap();
    let key = read_api_key(&source, "openai").unwrap();
    assert!(!format!("{handle:?} {key:?} {:?}", handle.held()).contains("hunter2"));
}
