//! Who calls: a JWT or a client certificate becomes a [`VerifiedPrincipal`], which only this room can make.

mod auth_context;
mod authenticate;
mod client_cert;
mod error;
mod facts;
mod json;
mod jws;
mod jwt;
mod key;
mod key_set;
mod principal;
mod remembered;
mod settings;
mod spiffe;
#[cfg(test)]
pub(crate) mod testing;
mod token_headers;
mod verified;
mod xfcc;

pub use auth_context::AuthContext;
pub use authenticate::{Callers, Issuer, Presented, Tally};
pub use error::{CertificateError, IdentityError, TokenError};
pub use key_set::{KeySet, KeySetError};
pub use principal::{Principal, PrincipalKind};
pub use settings::{
    Algorithm, CallersSettings, CertificateSource, IssuerSettings, MtlsSettings, WorkloadMark,
};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use verified::{Caller, VerifiedPrincipal};
