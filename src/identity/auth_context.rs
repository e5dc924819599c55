//! How the caller authenticated at the issuer: `amr`, `acr` and `auth_time` (OpenID Connect Core section 2).

use crate::base::UnixTime;

/// The claims that MFA rules speak of. Empty for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthContext {
    /// `amr`, authentication method references (RFC 8176). Empty when absent or not an array of strings.
    pub amr: Box<[Box<str>]>,
    /// `acr`, authentication context class; Entra's `acrs` are listed here too.
    pub acr: Box<[Box<str>]>,
    /// `auth_time`; none when absent or not a number.
    pub auth_time: Option<UnixTime>,
}
