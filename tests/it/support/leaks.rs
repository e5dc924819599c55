//! No secret of any fixture shows up anywhere: one list of them, one check, run by every case.

use std::sync::{Arc, Mutex};

/// The secrets of one case. Clones share the list.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    pub(crate) fn add(&self, secret: &str) {
        assert!(secret.len() >= 8, "too short to be looked for");
        self.0.lock().unwrap().push(secret.to_owned());
    }

    /// A token is secret as a whole and in each part from which it could be put together again: the header alone is not.
    pub(crate) fn add_token(&self, token: &str) {
        self.add(token);
        token.split('.').skip(1).filter(|part| part.len() >= 8).for_each(|part| self.add(part));
    }

    /// Fails where `text` has a secret, and does not print it.
    #[track_caller]
    pub(crate) fn check(&self, place: &str, text: &str) {
        for (n, secret) in self.0.lock().unwrap().iter().enumerate() {
            if let Some(at) = text.find(secret.as_str()) {
                let line = text[..at].matches('\n').count() + 1;
                panic!("{place}: secret number {n} shows up in line {line}");
            }
        }
    }
}
