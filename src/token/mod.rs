//! Credentials by provider: what a request takes, and who renews it.

mod error;
mod expires_at;
mod material;
mod minter;
mod settings;
mod source;
mod source_error;
mod sources;
mod static_key;
mod store;

pub use error::{SecretFault, Unavailable};
pub use material::Material;
pub use minter::{Dress, Minter, Unready};
pub use settings::{
    AnthropicFederation, AwsEnvironment, AwsKeys, AzureSettings, AzureWorkload, BodyFormat, ClientAuth,
    ClientIdentity, ClientTls, GoogleSettings, Grant, OAuthGrant, OAuthSettings, OpenAiFederation,
    TokenEndpoint, TokenFile, TokenSettings,
};
pub use source::{Leg, Legs, Minting, Origin, Token, TokenSource};
pub use source_error::{
    AnswerFault, Description, Fault, MaterialFault, OAuthCode, SourceError, SourceErrorKind,
};
pub use sources::{Outward, token_source};
pub use static_key::{StaticKey, load_static, read_api_key};
pub use store::{Slot, Store, TokenEntry};
