//! Credentials by provider: what a request takes, and who renews it.

mod answer;
mod assertion;
mod aws;
mod azure;
mod client_auth;
mod endpoint;
mod error;
mod expires_at;
mod federation;
mod google;
mod json;
mod fingerprint_key;
mod key_fault;
mod material;
mod minter;
mod oauth;
mod params;
mod refresh_tokens;
mod settings;
mod source;
mod source_error;
mod sources;
mod static_key;
mod store;
#[cfg(test)]
mod secrecy_tests;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod testing;
mod token_endpoint;
mod token_file;
mod tally;

use assertion::{AssertionHeader, RsaScheme, SigningKey, client_claims, thumbprint};
pub use aws::{Chain, Hop};
use endpoint::{Answer, TokenCall};
pub use error::{SecretFault, Unavailable};
pub use fingerprint_key::read_fingerprint_key;
pub use key_fault::KeyFault;
pub use material::Material;
pub use minter::{Dress, Minter, Unready};
use params::Params;
pub use refresh_tokens::RefreshTokens;
pub use settings::{
    AnthropicFederation, AwsEnvironment, AwsSettings, AzureSettings, AzureWorkload, BodyFormat, ClientAuth,
    ClientIdentity, ClientTls, GoogleSettings, Grant, OAuthGrant, OAuthSettings, OpenAiFederation, Role,
    TokenEndpoint, TokenFile, TokenSettings, WebIdentity,
};
pub use source::{Leg, Legs, Minting, Origin, Token, TokenSource, TokenValue};
pub use source_error::{
    AnswerFault, Description, Fault, MaterialFault, OAuthCode, SourceError, SourceErrorKind,
};
pub use sources::{Outward, token_source};
pub use static_key::{StaticKey, load_static, read_api_key};
pub use store::{Slot, Store, TokenEntry};
use tally::Taken;
pub use tally::Tally;
