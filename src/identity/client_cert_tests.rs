//! Whose certificate it is, from either source.

use super::*;
use crate::identity::testing::NOW;
use crate::request::{EnvoyFacts, Half, Headers};

const GOOD: &str = "spiffe://mesh.example/ns/prod/sa/agent";

#[track_caller]
fn check(
    from: CertificateSource,
    lines: &[&str],
    peer: PeerFacts<'_>,
    expected: Result<Option<&str>, CertificateError>,
) {
    let pseudo: [(&str, &[u8]); 3] = [(":method", b"POST"), (":authority", b"a"), (":path", b"/")];
    let headers: Headers<'_> =
        pseudo.into_iter().chain(lines.iter().map(|line| (XFCC, line.as_bytes()))).collect();
    let envoy = EnvoyFacts { peer: peer.clone(), ..EnvoyFacts::default() };
    let view = RequestView::new(headers, envoy, Half::Whole).unwrap();
    let trust_domains =
        ["mesh.example", "other.example"].map(|name| TrustDomain::parse(name).unwrap()).to_vec();
    let read = ClientCertificates::new(&MtlsSettings { from, trust_domains }).read(&view);
    let read =
        read.as_ref().map(|found| found.as_ref().map(|found| found.id.as_str())).map_err(|error| *error);
    assert_eq!(read, expected, "{lines:?} {peer:?}");
}

#[track_caller]
fn attributes(
    mtls: Option<bool>,
    uri_san: Option<&str>,
    principal: Option<&str>,
    expected: Result<Option<&str>, CertificateError>,
) {
    let peer = PeerFacts { mtls, uri_san, principal };
    // A header that a client wrote is there in every case, and never read.
    check(CertificateSource::Attributes, &["URI=spiffe://mesh.example/forged"], peer, expected);
}

#[track_caller]
fn xfcc(lines: &[&str], expected: Result<Option<&str>, CertificateError>) {
    let peer = PeerFacts {
        mtls: Some(true),
        uri_san: Some("spiffe://mesh.example/attribute"),
        ..PeerFacts::default()
    };
    check(CertificateSource::Xfcc, lines, peer, expected);
}

#[test]
fn envoys_attributes_name_the_workload() {
    attributes(Some(true), Some(GOOD), None, Ok(Some(GOOD)));
    attributes(None, None, Some(GOOD), Ok(Some(GOOD)));
    attributes(Some(true), Some(GOOD), Some(GOOD), Ok(Some(GOOD)));
}

#[test]
fn without_mutual_tls_there_is_no_certificate() {
    attributes(None, None, None, Ok(None));
    attributes(Some(false), Some(GOOD), None, Ok(None));
    attributes(Some(false), None, Some(GOOD), Ok(None));
    attributes(None, Some(GOOD), None, Ok(None));
    attributes(None, None, Some(""), Ok(None));
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    let spiffe_id = Err(CertificateError::SpiffeId(SpiffeIdError));
    attributes(Some(true), None, None, spiffe_id);
    attributes(Some(true), Some(""), None, spiffe_id);
    attributes(Some(true), Some("https://mesh.example/x"), None, spiffe_id);
    attributes(None, None, Some("agent.mesh.example"), spiffe_id);
    attributes(None, None, Some("CN=agent,O=spiffe://mesh.example/x"), spiffe_id);
    attributes(Some(true), Some("spiffe://mesh.example.evil/x"), None, Err(CertificateError::TrustDomain));
    attributes(Some(true), Some("spiffe://mesh/x"), None, Err(CertificateError::TrustDomain));
    attributes(Some(true), Some(GOOD), Some("spiffe://mesh.example/x"), Err(CertificateError::Contradiction));
    attributes(Some(true), None, Some(GOOD), Err(CertificateError::Contradiction));
}

#[test]
fn the_last_element_of_xfcc_names_the_workload() {
    xfcc(&[], Ok(None));
    xfcc(
        &["By=spiffe://mesh.example/envoy;Hash=ab;URI=spiffe://mesh.example/a"],
        Ok(Some("spiffe://mesh.example/a")),
    );
    xfcc(&["uri=spiffe://mesh.example/a"], Ok(Some("spiffe://mesh.example/a")));
    xfcc(
        &["URI=spiffe://mesh.example/forged,URI=spiffe://other.example/a"],
        Ok(Some("spiffe://other.example/a")),
    );
    xfcc(
        &[r#"Subject="CN=x,URI=spiffe://mesh.example/forged";URI=spiffe://mesh.example/a"#],
        Ok(Some("spiffe://mesh.example/a")),
    );
}

#[test]
fn xfcc_with_another_reading_is_refused() {
    xfcc(&["URI=spiffe://mesh.example/a", "URI=spiffe://mesh.example/a"], Err(CertificateError::Xfcc));
    xfcc(&[""], Err(CertificateError::Xfcc));
    xfcc(&["URI=spiffe://mesh.example/a;URI=spiffe://mesh.example/b"], Err(CertificateError::SeveralUris));
    xfcc(&["URI=spiffe://mesh.example/a;uri=spiffe://mesh.example/a"], Err(CertificateError::SeveralUris));
    xfcc(&["URI=spiffe://mesh.example/a,Hash=ab"], Err(CertificateError::SpiffeId(SpiffeIdError)));
    xfcc(&["Hash=ab;URI="], Err(CertificateError::SpiffeId(SpiffeIdError)));
    xfcc(
        &[r#"Subject="CN=x,URI=spiffe://mesh.example/forged""#],
        Err(CertificateError::SpiffeId(SpiffeIdError)),
    );
    xfcc(&["URI=spiffe://evil.example/a"], Err(CertificateError::TrustDomain));
}

#[test]
fn the_workload_is_a_principal_of_its_trust_domain() {
    let certificate =
        ClientCertificate { id: SpiffeId::parse(GOOD).unwrap(), issuer: "spiffe://mesh.example".into() };
    let verified = certificate.principal(NOW);
    let principal = verified.principal();
    assert_eq!((&*principal.issuer, &*principal.subject), ("spiffe://mesh.example", GOOD));
    assert_eq!(principal.kind, PrincipalKind::Workload);
    assert_eq!(verified.auth_context(), &AuthContext::default());
    assert!(verified.not_after() > NOW);
}
