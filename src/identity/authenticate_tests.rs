//! From a whole request to the caller.

use std::sync::atomic::AtomicU64;

use proptest::prelude::*;

use super::*;
use crate::identity::testing::{ISSUER, NOW, Signer, issuer, key_set, p256, part, rsa};
use crate::identity::{
    Algorithm, CertificateError, CertificateSource, MtlsSettings, PrincipalKind, SpiffeId, SpiffeIdError,
    TrustDomain,
};
use crate::request::{EnvoyFacts, Half, Headers, PeerFacts};

#[path = "authenticate_burst_tests.rs"]
mod burst;

const HEADER: &str = r#"{"alg":"ES256","kid":"a","typ":"at+jwt"}"#;
const AGENT: &str = "spiffe://mesh.example/ns/prod/sa/agent";

fn claims(sub: &str) -> String {
    format!(r#"{{"iss":"{ISSUER}","aud":"llm-gateway","exp":1700000060,"sub":"{sub}","amr":["mfa"]}}"#)
}

fn token(sub: &str) -> String {
    p256().token(Algorithm::Es256, HEADER, &claims(sub))
}

fn jwk(signer: &Signer, kid: &str) -> String {
    format!(r#"{},"kid":"{kid}""#, signer.material())
}

fn settings() -> CallersSettings {
    let mtls = MtlsSettings {
        from: CertificateSource::Attributes,
        trust_domains: vec![TrustDomain::parse("mesh.example").unwrap()],
    };
    let other = IssuerSettings {
        issuer: "https://other.example".into(),
        token_from: vec!["authorization".into(), "api-key".into()],
        ..issuer()
    };
    CallersSettings { jwt: vec![issuer(), other], mtls: Some(mtls), max_token: 4096, verified_tokens: 100 }
}

fn set_keys(callers: &Callers, keys: &[String]) {
    callers.issuers()[0].keys.store(Some(Arc::new(key_set(keys))));
}

fn callers_with(settings: CallersSettings) -> Callers {
    let callers = Callers::new(settings);
    set_keys(&callers, &[jwk(p256(), "a"), jwk(rsa(), "r")]);
    callers
}

fn callers() -> Callers {
    callers_with(settings())
}

fn ask(
    callers: &Callers,
    lines: &[(&str, &str)],
    uri_san: Option<&str>,
    presented: Presented,
    now: UnixTime,
) -> Result<Caller, IdentityError> {
    let pseudo: [(&str, &[u8]); 3] =
        [(":method", b"POST"), (":authority", b"a"), (":path", b"/v1?access_token=x")];
    let lines = lines.iter().map(|(name, value)| (*name, value.as_bytes()));
    let envoy = EnvoyFacts {
        peer: PeerFacts { mtls: uri_san.map(|_| true), uri_san, ..PeerFacts::default() },
        ..EnvoyFacts::default()
    };
    let headers: Headers<'_> = pseudo.into_iter().chain(lines).collect();
    let view = RequestView::new(headers, envoy, Half::Whole).unwrap();
    callers.authenticate(&view, presented, now)
}

fn bearer(callers: &Callers, token: &str, now: UnixTime) -> Result<String, IdentityError> {
    let caller = ask(callers, &[("authorization", &format!("Bearer {token}"))], None, Presented::Any, now)?;
    Ok(caller.principal.principal().subject.to_string())
}

#[track_caller]
fn check(token: &str, expected: Result<&str, IdentityError>) {
    let callers = callers();
    let said = bearer(&callers, token, NOW);
    assert_eq!(said.as_deref().map_err(|error| *error), expected, "{token}");
    if said.is_err() {
        assert_eq!(callers.remembered.len(), 0, "a refused token is not remembered");
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn a_signed_token_names_its_caller() {
    check(&token("alice"), Ok("alice"));
    let rs256 = rsa().token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"r"}"#, &claims("bob"));
    check(&rs256, Ok("bob"));
    check(&p256().token(Algorithm::Es256, r#"{"alg":"ES256"}"#, &claims("carol")), Ok("carol"));
}

#[test]
fn j01_an_unsigned_token_is_refused_without_a_look_for_keys() {
    let callers = Callers::new(settings());
    for alg in ["none", "nOnE", ""] {
        let unsigned =
            format!("{}.{}.{}", part(format!(r#"{{"alg":"{alg}"}}"#)), part(claims("a")), part("x"));
        assert_eq!(bearer(&callers, &unsigned, NOW), Err(TokenError::Algorithm.into()));
    }
}

#[test]
fn j02_a_key_of_another_algorithm_is_not_used() {
    // The public key as an HMAC secret.
    check(
        &format!("{}.{}.{}", part(r#"{"alg":"HS256","kid":"r"}"#), part(claims("a")), part([0; 32])),
        Err(TokenError::Algorithm.into()),
    );
    // Another key type than the algorithm's.
    check(
        &rsa().token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"a"}"#, &claims("a")),
        Err(TokenError::KeyMismatch.into()),
    );
    check(
        &rsa().token(Algorithm::Rs256, r#"{"alg":"PS256","kid":"r"}"#, &claims("a")),
        Err(TokenError::Signature.into()),
    );
    // An algorithm that the issuer's entry does not list.
    let mut settings = settings();
    settings.jwt[0].algorithms = vec![Algorithm::Rs256];
    assert_eq!(bearer(&callers_with(settings), &token("a"), NOW), Err(TokenError::Algorithm.into()));
}

#[test]
fn j04_a_key_that_the_token_brings_along_is_not_used() {
    let attacker = Signer::p256();
    for member in [
        format!(r#""jwk":{{{}}}"#, attacker.material()),
        r#""jku":"https://evil.example/jwks""#.to_owned(),
        r#""x5u":"https://evil.example/x5u""#.to_owned(),
        r#""x5c":["AAAA"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"a",{member}}}"#);
        check(&attacker.token(Algorithm::Es256, &header, &claims("evil")), Err(TokenError::Signature.into()));
        check(&p256().token(Algorithm::Es256, &header, &claims("alice")), Ok("alice"));
    }
}

#[test]
fn j08_an_unknown_issuer_is_a_bad_token_and_not_a_missing_one() {
    for iss in [
        r#""https://idp.example.com/""#,
        r#""https://IDP.example.com""#,
        r#""https://idp.ex\u0430mple.com""#,
        r#""https://idp.example.com ""#,
        r#""https://evil.example""#,
        r#""""#,
        "1",
        "null",
        r#"["https://idp.example.com"]"#,
    ] {
        let claims = format!(r#"{{"iss":{iss},"aud":"llm-gateway","exp":1700000060,"sub":"a"}}"#);
        check(&p256().token(Algorithm::Es256, HEADER, &claims), Err(TokenError::Issuer.into()));
    }
    let without = r#"{"aud":"llm-gateway","exp":1700000060,"sub":"a"}"#;
    check(&p256().token(Algorithm::Es256, HEADER, without), Err(TokenError::Issuer.into()));
}

#[test]
fn a_token_of_one_issuer_is_not_verified_with_the_keys_of_another() {
    let callers = callers();
    let other = Signer::p256();
    callers.issuers()[1].keys.store(Some(Arc::new(key_set(&[jwk(&other, "a")]))));
    let forged = other.token(Algorithm::Es256, HEADER, &claims("evil"));
    assert_eq!(bearer(&callers, &forged, NOW), Err(TokenError::Signature.into()));
}

#[test]
fn a_token_longer_than_the_limit_is_refused() {
    let long = token(&"a".repeat(4096));
    check(&long, Err(TokenError::TooLong.into()));
    check(&"a".repeat(4097), Err(TokenError::TooLong.into()));
}

#[test]
fn j19_a_token_without_a_subject_is_nobody() {
    check(&token("  "), Err(IdentityError::NoSubject));
    check(&token(""), Err(IdentityError::NoSubject));
}

#[test]
fn j20_j21_where_a_token_may_stand() {
    let callers = callers();
    let (alice, bob) = (token("alice"), token("bob"));
    let (bearer_alice, bearer_bob) = (format!("Bearer {alice}"), format!("bearer {bob}"));
    let both = format!("{bearer_alice}, {bearer_bob}");
    let several = Err(TokenError::Several.into());
    for (lines, expected) in [
        (vec![("x-api-key", alice.as_str())], Ok("alice")),
        (vec![("X-Api-Key", &alice)], Ok("alice")),
        (vec![("authorization", bearer_bob.as_str())], Ok("bob")),
        (vec![("authorization", &bearer_alice), ("x-api-key", &alice)], Ok("alice")),
        (vec![("authorization", &bearer_alice), ("api-key", &alice)], Ok("alice")),
        (vec![("authorization", &bearer_alice), ("x-api-key", &bob)], several),
        (vec![("authorization", &bearer_alice), ("authorization", &bearer_bob)], several),
        (vec![("authorization", &bearer_alice), ("authorization", &bearer_alice)], several),
        (vec![("authorization", &both)], several),
        (vec![("authorization", "Basic YTpi")], Err(TokenError::Scheme.into())),
        (vec![("authorization", &alice)], Err(TokenError::Scheme.into())),
        (vec![("x-api-key", &bearer_alice)], Err(TokenError::NotJws.into())),
        (vec![("x-api-key", "sk-1234")], Err(TokenError::NotJws.into())),
        (vec![("x-api-key", "")], Err(TokenError::NotJws.into())),
        (vec![("api-key", &alice)], Err(TokenError::WrongHeader.into())),
        (vec![("cookie", &alice), ("x-token", &alice), ("x_api_key", &alice)], Err(IdentityError::Missing)),
        (vec![], Err(IdentityError::Missing)),
    ] {
        // Twice, since the second answer may come from the memory.
        for _ in 0..2 {
            let said = ask(&callers, &lines, None, Presented::Any, NOW);
            let said =
                said.as_ref().map(|caller| &*caller.principal.principal().subject).map_err(|error| *error);
            assert_eq!(said, expected, "{lines:?}");
        }
    }
    assert_eq!(callers.token_headers(), ["authorization", "x-api-key", "api-key"]);
}

#[test]
fn without_issuers_token_headers_are_not_read() {
    let callers = Callers::new(CallersSettings { jwt: vec![], ..settings() });
    let lines = [("authorization", "Basic YTpi"), ("authorization", "Bearer dummy")];
    let caller = ask(&callers, &lines, Some(AGENT), Presented::Any, NOW).unwrap();
    assert_eq!(&*caller.principal.principal().subject, AGENT);
    assert_eq!(ask(&callers, &lines, None, Presented::Any, NOW).err(), Some(IdentityError::Missing));
}

#[test]
fn j23_a_key_is_used_while_the_issuer_has_it() {
    let callers = callers();
    let (old, new) = (p256(), Signer::p256());
    let (alice, bob) =
        (token("alice"), new.token(Algorithm::Es256, r#"{"alg":"ES256","kid":"b"}"#, &claims("bob")));
    assert_eq!(bearer(&callers, &bob, NOW), Err(IdentityError::UnknownKey { issuer: 0 }));
    assert_eq!(bearer(&callers, &alice, NOW).as_deref(), Ok("alice"));
    set_keys(&callers, &[jwk(old, "a"), jwk(&new, "b")]);
    assert_eq!(bearer(&callers, &bob, NOW).as_deref(), Ok("bob"));
    assert_eq!(bearer(&callers, &alice, NOW).as_deref(), Ok("alice"));
    assert_eq!(
        count(callers.issuers()[0].tally.cached.mine()),
        1,
        "the key is still there, so the token is known"
    );
    set_keys(&callers, &[jwk(&new, "b")]);
    assert_eq!(bearer(&callers, &alice, NOW), Err(IdentityError::UnknownKey { issuer: 0 }));
    assert_eq!(bearer(&callers, &bob, NOW).as_deref(), Ok("bob"));
    // The same kid, another key.
    set_keys(&callers, &[jwk(old, "b")]);
    assert_eq!(bearer(&callers, &bob, NOW), Err(TokenError::Signature.into()));
    callers.issuers()[0].keys.store(None);
    assert_eq!(bearer(&callers, &bob, NOW), Err(IdentityError::NoKeySet { issuer: 0 }));
}

#[test]
fn j28_a_remembered_token_is_never_used_past_its_end() {
    let callers = callers();
    let alice = token("alice");
    assert_eq!(bearer(&callers, &alice, NOW).as_deref(), Ok("alice"));
    assert_eq!(bearer(&callers, &alice, UnixTime(1_700_000_090)).as_deref(), Ok("alice"));
    assert_eq!(bearer(&callers, &alice, UnixTime(1_700_000_091)), Err(TokenError::Expired.into()));
    assert_eq!(callers.remembered.len(), 0);
    let tally = &callers.issuers()[0].tally;
    assert_eq!((count(&tally.accepted), count(tally.cached.mine()), count(&tally.refused)), (1, 1, 1));
}

#[test]
fn another_signature_under_the_same_claims_is_another_token() {
    let callers = callers();
    let alice = token("alice");
    assert!(bearer(&callers, &alice, NOW).is_ok());
    let (signed, _) = alice.rsplit_once('.').unwrap();
    assert_eq!(
        bearer(&callers, &format!("{signed}.{}", part([1; 64])), NOW),
        Err(TokenError::Signature.into())
    );
}

#[test]
fn the_memory_is_bounded_and_may_be_none() {
    for places in [0, 1, 4] {
        let callers = callers_with(CallersSettings { verified_tokens: places, ..settings() });
        for sub in 0..20 {
            assert!(bearer(&callers, &token(&format!("user{sub}")), NOW).is_ok());
        }
        assert!(callers.remembered.len() <= places, "{} of {places}", callers.remembered.len());
    }
    // One large token takes the places of several.
    let callers = callers_with(CallersSettings { verified_tokens: 3, max_token: 16_384, ..settings() });
    assert!(bearer(&callers, &token(&"a".repeat(5000)), NOW).is_ok());
    assert_eq!(callers.remembered.len(), 0);
}

#[test]
fn a_token_is_judged_even_beside_a_good_certificate() {
    let callers = callers();
    let alice = format!("Bearer {}", token("alice"));
    let good = [("authorization", alice.as_str())];
    let caller = ask(&callers, &good, Some(AGENT), Presented::Any, NOW).unwrap();
    assert_eq!(&*caller.principal.principal().subject, "alice");
    assert_eq!(caller.via.as_ref().map(SpiffeId::as_str), Some(AGENT));
    let bad = [("authorization", "Bearer x.y.z")];
    assert!(matches!(ask(&callers, &bad, Some(AGENT), Presented::Any, NOW), Err(IdentityError::Token(_))));
    assert_eq!(
        ask(&callers, &[("authorization", "Basic YTpi")], Some(AGENT), Presented::Any, NOW).err(),
        Some(TokenError::Scheme.into())
    );
    for (uri, error) in [
        ("spiffe://evil.example/x", CertificateError::TrustDomain),
        ("https://mesh.example/x", CertificateError::SpiffeId(SpiffeIdError)),
    ] {
        assert_eq!(ask(&callers, &good, Some(uri), Presented::Any, NOW).err(), Some(error.into()));
    }
}

#[test]
fn a_retry_is_known_by_its_certificate_alone() {
    let callers = callers();
    let ours = [("authorization", "Bearer sk-our-own-earlier-credential")];
    let caller = ask(&callers, &ours, Some(AGENT), Presented::CertificateOnly, NOW).unwrap();
    assert_eq!(caller.principal.principal().kind, PrincipalKind::Workload);
    assert!(caller.via.is_none());
    let alice = format!("Bearer {}", token("alice"));
    let said = ask(&callers, &[("authorization", &alice)], None, Presented::CertificateOnly, NOW);
    assert_eq!(said.err(), Some(IdentityError::Missing));
}

#[test]
fn certificates_that_are_not_configured_are_not_looked_at() {
    let callers = callers_with(CallersSettings { mtls: None, ..settings() });
    assert_eq!(ask(&callers, &[], Some(AGENT), Presented::Any, NOW).err(), Some(IdentityError::Missing));
    let alice = format!("Bearer {}", token("alice"));
    let caller = ask(&callers, &[("authorization", &alice)], Some(AGENT), Presented::Any, NOW).unwrap();
    assert!(caller.via.is_none());
}

proptest! {
    #[test]
    fn a_token_with_any_byte_changed_never_verifies(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let callers = callers();
        let good = token("alice");
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assume!(bytes != good.as_bytes());
        let lines: [(&str, &[u8]); 4] = [(":method", b"POST"), (":authority", b"a"), (":path", b"/"), ("x-api-key", &bytes)];
        let envoy = EnvoyFacts::default();
        let view = RequestView::new(lines.into_iter().collect(), envoy, Half::Whole).unwrap();
        prop_assert!(callers.authenticate(&view, Presented::Any, NOW).is_err());
    }

    #[test]
    fn a_token_cut_or_spliced_never_verifies(from in any::<proptest::sample::Index>(), to in any::<proptest::sample::Index>(), patch in "[A-Za-z0-9_.=-]{0,6}") {
        let good = token("alice");
        let (from, to) = (from.index(good.len()), to.index(good.len()));
        let mutated = format!("{}{patch}{}", &good[..from.min(to)], &good[from.max(to)..]);
        prop_assume!(mutated != good);
        prop_assert!(bearer(&callers(), &mutated, NOW).is_err());
    }

    #[test]
    fn any_header_value_is_refused_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let names = ["authorization".to_owned(), "x-api-key".to_owned()];
        for name in ["authorization", "x-api-key"] {
            let headers: Headers<'_> = [(name, value.as_slice())].into_iter().collect();
            let _ = token_headers::find(&headers, &names);
        }
    }
}
