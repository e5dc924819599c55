//! The caller's certificate, as Envoy verified it: from its attributes, or from `x-forwarded-client-cert`. Only the
//! configured one of the two is looked at.
//!
//! Envoy's attributes hold the first URI SAN only, so that a second one is seen in XFCC alone. And they say that a
//! certificate was shown, not that it was checked: the listener's `validation_context` must name a CA, and must not
//! say `ACCEPT_UNTRUSTED`.

use std::sync::Arc;
use std::time::Duration;

use super::xfcc::Element;
use super::{
    AuthContext, CertificateError, CertificateSource, MtlsSettings, Principal, PrincipalKind, SpiffeId,
    SpiffeIdError, TrustDomain, VerifiedPrincipal,
};
use crate::base::UnixTime;
use crate::request::{PeerFacts, RequestView};

const XFCC: &str = "x-forwarded-client-cert";

/// What was read of a certificate holds for its own request. The upstream half's attempts belong to it, however late.
const HOLDS: Duration = Duration::from_secs(3600);

/// Which certificates are accepted, with what becomes of them prepared.
#[derive(Debug)]
pub(super) struct ClientCertificates {
    from: CertificateSource,
    trust_domains: Vec<(TrustDomain, Arc<str>)>,
}

/// An accepted certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientCertificate {
    pub(super) id: SpiffeId,
    issuer: Arc<str>,
}

impl ClientCertificates {
    pub(super) fn new(settings: &MtlsSettings) -> Self {
        let issuer = |domain: &TrustDomain| (domain.clone(), Arc::from(format!("spiffe://{domain}")));
        Self { from: settings.from, trust_domains: settings.trust_domains.iter().map(issuer).collect() }
    }

    /// The certificate of a request; none when it came without one.
    ///
    /// # Errors
    /// [`CertificateError`]: there is one and it is nobody's whom we know.
    pub(super) fn read(&self, view: &RequestView<'_>) -> Result<Option<ClientCertificate>, CertificateError> {
        let id = match self.from {
            CertificateSource::Attributes => from_attributes(&view.envoy.peer)?,
            CertificateSource::Xfcc => from_xfcc(view)?,
        };
        let Some(id) = id else { return Ok(None) };
        let listed = self.trust_domains.iter().find(|(domain, _)| domain == id.trust_domain());
        let (_, issuer) = listed.ok_or(CertificateError::TrustDomain)?;
        Ok(Some(ClientCertificate { issuer: Arc::clone(issuer), id }))
    }
}

impl ClientCertificate {
    /// The workload as a caller of its own.
    pub(super) fn principal(self, now: UnixTime) -> VerifiedPrincipal {
        let principal = Principal {
            issuer: self.issuer,
            subject: self.id.as_str().into(),
            kind: PrincipalKind::Workload,
            groups: Box::default(),
        };
        VerifiedPrincipal::new(principal, AuthContext::default(), now.plus(HOLDS))
    }
}

/// Empty text is how Envoy spells "not there". A certificate without a URI is one that cannot be accepted, in ext_proc
/// (where it is told by `mtls` alone) as in ext_authz (where `principal` is then a DNS name or the subject).
fn from_attributes(peer: &PeerFacts<'_>) -> Result<Option<SpiffeId>, CertificateError> {
    let uri = match peer.mtls {
        Some(true) => Some(peer.uri_san.unwrap_or_default()),
        Some(false) | None => None,
    };
    let principal = peer.principal.filter(|text| !text.is_empty() && peer.mtls != Some(false));
    let text = match (uri, principal) {
        (Some(uri), Some(principal)) if uri != principal => return Err(CertificateError::Contradiction),
        (Some(text), _) | (None, Some(text)) => text,
        (None, None) => return Ok(None),
    };
    Ok(Some(SpiffeId::parse(text)?))
}

fn from_xfcc(view: &RequestView<'_>) -> Result<Option<SpiffeId>, CertificateError> {
    let mut lines = view.headers.all(XFCC);
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(CertificateError::Xfcc);
    }
    let element = Element::last_of(line)?;
    let uri = element.only("URI", CertificateError::SeveralUris)?.ok_or(SpiffeIdError)?;
    Ok(Some(SpiffeId::parse(uri)?))
}

#[cfg(test)]
#[path = "client_cert_tests.rs"]
mod tests;
