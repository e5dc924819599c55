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
        if let Some((secret, line)) = self.find(text) {
            panic!("{place}: secret number {secret} shows up in line {line}");
        }
    }

    /// Which secret, and in which line.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        self.0.lock().unwrap().iter().enumerate().find_map(|(n, secret)| {
            let at = text.find(secret.as_str())?;
            Some((n, text[..at].matches('\n').count() + 1))
        })
    }
}

/// A harness that finds nothing would let everything pass.
#[test]
fn a_key_and_every_telling_part_of_a_token_are_found() {
    let secrets = Secrets::default();
    secrets.add("sk-openai-1");
    secrets.add_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl");
    assert_eq!(secrets.find("key=sk-openai-1;"), Some((0, 1)));
    assert_eq!(secrets.find("x\n\"eyJzdWIiOiJhIn0\""), Some((2, 2)));
    assert_eq!(secrets.find("x c2lnbmF0dXJl"), Some((3, 1)));
    assert_eq!(secrets.find("eyJhbGciOiJub25lIn0 sk-openai-2"), None);
}
