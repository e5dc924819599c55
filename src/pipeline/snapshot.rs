//! Everything a request is decided with, swapped as a whole: each decision sees one snapshot from start to end.

use std::sync::Arc;

use crate::config::{Feedback, OnNoProvider};
use crate::credential::ClockSkews;
use crate::identity::Callers;
use crate::provider::Catalog;
use crate::token::Store;

/// One generation of the configuration, ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up with every configuration that was taken.
    pub generation: u64,
    /// The providers.
    pub catalog: Catalog,
    /// Who may call; kept over a reload that does not change them, with its keys and its verified tokens.
    pub callers: Arc<Callers>,
    /// Credentials, under the providers' indexes.
    pub tokens: Store,
    /// Every header in which a caller's token or some provider's key may stand, each once: an attempt at one provider must
    /// not see the key that the attempt before put on for another.
    pub credential_headers: Vec<String>,
    /// What becomes of the providers' refusals, under the same indexes.
    pub feedback: Box<[Feedback]>,
    /// How far the clocks are from ours of the hosts that requests are signed for; one for the process.
    pub clocks: Arc<ClockSkews>,
    /// Larger bodies are not signed.
    pub max_body: usize,
    /// What becomes of nobody's requests.
    pub on_no_provider: OnNoProvider,
}
