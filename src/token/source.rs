//! Token sources: each makes a short-lived token of long-lived material.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::SourceError;
use crate::base::{Expiry, Now, Secret};
use crate::credential::AwsKeys;

/// Makes tokens. One real form a grant; tests have theirs.
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// Obtains a token now. `legs` is told of every exchange on the way, the one that fails included.
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a>;

    /// What it does, for records: `client_credentials`, `token_exchange`, ….
    fn name(&self) -> &'static str;

    /// Where its last exchange goes.
    fn origin(&self) -> Origin;

    /// The role of AWS that its keys are of, for records.
    fn role(&self) -> Option<&str> {
        None
    }
}

/// A token on its way.
pub type Minting<'a> = Pin<Box<dyn Future<Output = Result<Token, SourceError>> + Send + 'a>>;

/// A token, checked: it can stand in a header, and it ends.
#[derive(Debug)]
pub struct Token {
    /// The token itself.
    pub value: TokenValue,
    /// Its end. A bearer token always has one: one that says nothing of it gets a short life.
    pub expiry: Option<Expiry>,
    /// When the issuer would renew it (Entra's `refresh_in`), counted from when it was asked for.
    pub refresh_in: Option<Duration>,
    /// What it is good for, as the answer says it, else as it was asked for.
    pub scopes: Vec<String>,
}

impl Token {
    /// How long it is good for.
    #[must_use]
    pub fn left(&self, now: Now) -> Duration {
        self.expiry.map_or(Duration::MAX, |expiry| expiry.left(now))
    }

    /// The bearer token, where it is one.
    #[must_use]
    pub fn bearer(&self) -> Option<&Secret<String>> {
        match &self.value {
            TokenValue::Bearer(token) => Some(token),
            TokenValue::Keys { .. } => None,
        }
    }
}

/// What goes on requests, or signs them.
#[derive(Debug)]
pub enum TokenValue {
    /// A bearer token.
    Bearer(Secret<String>),
    /// Keys of AWS.
    Keys {
        /// The keys.
        keys: AwsKeys,
        /// The region that the secret names.
        region: Option<String>,
    },
}

/// Scheme, host and port: all that a record, a log line or an error says of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// The exchanges that led to a token, in their order.
#[derive(Debug, Default)]
pub struct Legs(Vec<Leg>);

/// One exchange.
#[derive(Debug)]
pub struct Leg {
    /// What it was: `discovery`, `token endpoint`, `impersonation`, ….
    pub name: &'static str,
    /// Of a role chain: which hop, by its number and its role.
    pub hop: Option<Arc<str>>,
    /// Where it went.
    pub to: Origin,
    /// How long it took.
    pub took: Duration,
    /// How long what it brought lives; none where it brought nothing that ends, or failed.
    pub lives: Option<Duration>,
    /// Whether it brought what it was for.
    pub succeeded: bool,
}

impl Origin {
    /// The origin of `url`.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// An origin for what goes nowhere: a file.
    #[must_use]
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Legs {
    /// One more.
    pub fn push(&mut self, leg: Leg) {
        self.0.push(leg);
    }

    /// These came after.
    pub fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The last one brought something that lives so long.
    pub fn brought(&mut self, lives: Duration) {
        if let Some(last) = self.0.last_mut() {
            last.lives = Some(lives);
        }
    }

    /// What the last one brought cannot be used.
    pub fn failed(&mut self) {
        if let Some(last) = self.0.last_mut() {
            last.succeeded = false;
        }
    }

    /// All so far.
    pub fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.0.iter()
    }
}
