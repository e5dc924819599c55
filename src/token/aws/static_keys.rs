//! Keys that the secret holds.

use crate::credential::AwsKeys;
use crate::token::{Legs, Minting, Origin, Token, TokenSource, TokenValue};

/// Keys as they are: nobody is asked, and nobody says when they end.
#[derive(Debug)]
pub(super) struct StaticKeys {
    keys: AwsKeys,
    region: Option<String>,
}

impl StaticKeys {
    pub(super) const fn new(keys: AwsKeys, region: Option<String>) -> Self {
        Self { keys, region }
    }
}

impl TokenSource for StaticKeys {
    fn obtain<'a>(&'a self, _: &'a mut Legs) -> Minting<'a> {
        let value = TokenValue::Keys { keys: self.keys.clone(), region: self.region.clone() };
        Box::pin(async move { Ok(Token { value, expiry: None, refresh_in: None, scopes: Vec::new() }) })
    }

    fn name(&self) -> &'static str {
        "aws_keys"
    }

    fn origin(&self) -> Origin {
        Origin::local()
    }
}
