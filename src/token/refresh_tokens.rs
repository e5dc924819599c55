//! Refresh tokens that change with every use (RFC 6749 section 6): the one that counts is kept here, and in the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Material;
use crate::base::Secret;
use crate::secrets::SecretSink;

/// The key of the secret.
const KEY: &str = "refresh_token";

/// So many of the latest are known again. The store shows the last but one for a moment.
const KNOWN: usize = 8;

/// No refresh token is longer.
const LONGEST: usize = 16 << 10;

/// The refresh tokens of all secrets. One for the process: a reload must not begin again with one that is used up.
#[derive(Default)]
pub struct RefreshTokens {
    chains: Mutex<HashMap<String, Arc<Chain>>>,
    sink: Mutex<Option<Arc<dyn SecretSink>>>,
}

/// The refresh tokens of one secret, one after the other.
pub(super) struct Chain {
    secret: String,
    links: Mutex<Links>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Links {
    /// The latest, and last what counts.
    known: Vec<Secret<String>>,
    /// What the store holds, as far as it is up to us.
    stored: Secret<String>,
}

/// Whose refresh token the store holds now.
enum Stored {
    Ours,
    /// Somebody put another one there, or took it away: theirs is the last word.
    Theirs,
}

/// The right to use the token: nobody else does meanwhile.
pub(super) struct Turn {
    chain: Arc<Chain>,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl RefreshTokens {
    /// From now on, new refresh tokens are stored there.
    pub fn store_in(&self, sink: Arc<dyn SecretSink>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
    }

    /// Whether the secret was `before` and is `now` because a new refresh token was stored here: then it is no other secret.
    #[must_use]
    pub fn wrote(&self, before: &Material, now: &Material) -> bool {
        let chains = self.chains();
        let known = match (now.find(KEY), chains.get(now.name())) {
            (Some(token), Some(chain)) => chain.links().knows(token),
            _ => false,
        };
        known && before.without(KEY) == now.without(KEY)
    }

    /// The chain of the secret `name`, which holds `seed`: the one that goes on from it, else a new one.
    pub(super) fn chain(&self, name: &str, seed: &Secret<String>) -> Arc<Chain> {
        let mut chains = self.chains();
        if let Some(chain) = chains.get(name)
            && chain.links().knows(seed)
        {
            return Arc::clone(chain);
        }
        let links = Mutex::new(Links { known: vec![seed.clone()], stored: seed.clone() });
        let chain = Arc::new(Chain { secret: name.to_owned(), links, turn: Arc::default() });
        chains.insert(name.to_owned(), Arc::clone(&chain));
        chain
    }

    fn chains(&self) -> MutexGuard<'_, HashMap<String, Arc<Chain>>> {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// Waits for the right to use the token.
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        Turn { _turn: Arc::clone(&self.turn).lock_owned().await, chain: Arc::clone(self) }
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn knows(&self, token: &Secret<String>) -> bool {
        self.stored == *token || self.known.contains(token)
    }
}

impl Turn {
    /// The one that counts.
    pub(super) fn current(&self) -> Secret<String> {
        self.chain.links().known.last().cloned().unwrap_or_else(|| Secret::new(String::new()))
    }

    /// The server sent another one. One that is none leaves the old one.
    pub(super) fn replace(&self, next: &Secret<String>) {
        let text = next.expose();
        // RFC 6749 appendix A.17.
        let fit =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        let mut links = self.chain.links();
        if !fit || links.known.last() == Some(next) {
            return;
        }
        links.known.push(next.clone());
        if links.known.len() > KNOWN {
            links.known.remove(0);
        }
    }

    /// Stores it where that was not done yet, in the place of one that it follows. What cannot be stored is used all the same, and lost at the next start.
    pub(super) async fn store(&self, all: &RefreshTokens) {
        let value = match self.chain.links() {
            links if links.known.last() == Some(&links.stored) => return,
            links => links.known.last().cloned(),
        };
        let Some(value) = value else { return };
        let (chain, new) = (Arc::clone(&self.chain), value.clone());
        let sink = all.sink.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // On its own thread to its end, also where who waits for it gives up.
        let written = tokio::task::spawn_blocking(move || match sink {
            Some(sink) => match sink.read(&chain.secret, KEY) {
                Ok(found) if !found.as_ref().is_some_and(|found| chain.links().knows(found)) => {
                    Ok(Stored::Theirs)
                }
                // What cannot be read cannot be written either, and that is the sentence to show.
                _ => match sink.write(&chain.secret, KEY, new.expose().as_bytes()) {
                    Ok(()) => Ok(Stored::Ours),
                    Err(error) => Err(error.to_string()),
                },
            },
            None => Err("there is no store that takes it".to_owned()),
        });
        let secret = &*self.chain.secret;
        match written.await {
            Ok(Ok(Stored::Ours)) => self.chain.links().stored = value,
            Ok(Ok(Stored::Theirs)) => tracing::warn!(
                secret,
                "the secret's refresh token was replaced while the one before it was used; what is there now stays"
            ),
            Ok(Err(error)) => tracing::error!(
                secret,
                error,
                "a new refresh token could not be stored, and the one in the store is used up: make the secret's folder \
                 writable, or put a new refresh token there before the next start"
            ),
            Err(_) => tracing::error!(secret, "storing a new refresh token broke"),
        }
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokens").field("secrets", &self.chains().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("secret", &self.secret).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "refresh_tokens_tests.rs"]
mod tests;
