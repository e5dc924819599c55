//! Who calls: a JWT or a client certificate becomes a [`VerifiedPrincipal`], which only this room can make.

mod auth_context;
mod authenticate;
mod client_cert;
mod error;
mod jwt;
mod key_set;
mod principal;
mod settings;
mod spiffe;
mod verified;

pub use auth_context::AuthContext;
pub use authenticate::{Callers, Issuer, Presented, Tally};
pub use error::{CertificateError, IdentityError, TokenError};
pub use key_set::{KeySet, KeySetError};
pub use principal::{Principal, PrincipalKind};
pub use settings::{Algorithm, CallersSettings, CertificateSource, IssuerSettings, MtlsSettings, WorkloadMark};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use verified::{Caller, VerifiedPrincipal};
