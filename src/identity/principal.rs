//! A principal: an issuer and a subject, and whether a person or a workload stands behind it.

use std::sync::Arc;

/// Whether somebody could be asked for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person; may be challenged to step up.
    Person,
    /// A program; can never pass MFA.
    Workload,
}

/// Who sends the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `iss` of the token, or `spiffe://<trust domain>` of the certificate.
    pub issuer: Arc<str>,
    /// `sub` of the token, or the SPIFFE ID. Never empty.
    pub subject: Box<str>,
    /// Person or workload.
    pub kind: PrincipalKind,
    /// Groups, from the claim that the issuer's entry names.
    pub groups: Box<[Box<str>]>,
}
