//! Why a caller is not known. The caller is told the code only; the variant is for the operator's log.

use thiserror::Error;

use super::SpiffeIdError;

/// What `authenticate` can end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Neither a token nor a certificate.
    #[error("no token and no certificate")]
    Missing,
    /// A token that is not accepted.
    #[error("token not accepted: {0}")]
    Token(#[from] TokenError),
    /// The token names a key that the issuer's set does not have. The set may be older than the key: worth one refresh.
    #[error("no key of the issuer has the token's kid")]
    UnknownKey {
        /// Position of the issuer in `callers.jwt`.
        issuer: usize,
    },
    /// The issuer's keys were never fetched.
    #[error("the issuer's key set was not fetched yet")]
    NoKeySet {
        /// Position of the issuer in `callers.jwt`.
        issuer: usize,
    },
    /// A certificate that is not accepted.
    #[error("certificate not accepted: {0}")]
    Certificate(#[from] CertificateError),
    /// A good token without a subject (`sub` absent, empty or blank): nobody to hold to account.
    #[error("the token has no subject")]
    NoSubject,
    /// Upstream half: the downstream half's facts are not there.
    #[error("no verified facts in dynamic metadata `bouncer`")]
    NoFacts,
    /// Upstream half: the facts are older than the token they were made from.
    #[error("the downstream half's facts have expired")]
    StaleFacts,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum TokenError {
    #[error("more than one token")]
    Several,
    #[error("the Authorization header is not `Bearer <token>`")]
    Scheme,
    #[error("longer than limits.max_token")]
    TooLong,
    #[error("not a JWS in compact form")]
    NotJws,
    #[error("header or claims are not a JSON object, or name a member twice")]
    Json,
    #[error("algorithm missing, symmetric, none, or not in `algorithms`")]
    Algorithm,
    #[error("header has crit or zip")]
    Extension,
    #[error("typ marks a JWT that is no access token")]
    Kind,
    #[error("kid is not a string of at most 256 bytes")]
    Kid,
    #[error("key and algorithm do not belong together")]
    KeyMismatch,
    #[error("signature does not verify")]
    Signature,
    #[error("iss is missing or unknown")]
    Issuer,
    #[error("aud has none of `audiences`")]
    Audience,
    #[error("exp is missing or not a number")]
    NoExpiry,
    #[error("expired")]
    Expired,
    #[error("nbf or iat lies in the future")]
    NotYet,
    #[error("a claim has the wrong type")]
    ClaimType,
    #[error("came in a header that is not in the issuer's token_from")]
    WrongHeader,
}

/// Why a certificate is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum CertificateError {
    #[error("x-forwarded-client-cert is malformed")]
    Xfcc,
    #[error("several URI SANs")]
    SeveralUris,
    #[error(transparent)]
    SpiffeId(#[from] SpiffeIdError),
    #[error("trust domain not in trust_domains")]
    TrustDomain,
    #[error("the two sources name different identities")]
    Contradiction,
}
