//! Which keys of a document are taken, and which of them verifies a signature.

use proptest::prelude::*;

use super::*;
use crate::identity::testing::{Signer, key_set, p256, part, rsa};

const MESSAGE: &[u8] = b"header.payload";

#[track_caller]
fn check_parse(keys: &str, expected: Result<usize, KeySetError>) {
    let parsed = KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes());
    assert_eq!(parsed.map(|keys| keys.len()), expected, "{keys}");
}

#[track_caller]
fn check(
    keys: &[String],
    signer: &Signer,
    algorithm: Algorithm,
    kid: Option<&str>,
    expected: Result<(), Unverified>,
) {
    let signature = signer.sign(algorithm, MESSAGE);
    let verified = key_set(keys).verify(algorithm, kid, MESSAGE, &signature);
    assert_eq!(verified.map(|_| ()), expected, "{algorithm:?} {kid:?} {keys:?}");
}

fn jwk(signer: &Signer, members: &str) -> String {
    format!("{},{members}", signer.material())
}

#[test]
fn every_algorithm_verifies_with_its_key() {
    let (p384, ed25519) = (Signer::p384(), Signer::ed25519());
    let keys = [rsa(), p256(), &p384, &ed25519].map(Signer::material);
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        check(&keys, rsa(), algorithm, None, Ok(()));
    }
    check(&keys, p256(), Algorithm::Es256, None, Ok(()));
    check(&keys, &p384, Algorithm::Es384, None, Ok(()));
    check(&keys, &ed25519, Algorithm::EdDsa, None, Ok(()));
}

#[test]
fn j03_a_key_for_something_else_verifies_nothing() {
    for members in [
        r#""use":"enc""#,
        r#""use":1"#,
        r#""use":"SIG""#,
        r#""key_ops":["sign"]"#,
        r#""key_ops":[]"#,
        r#""key_ops":"verify""#,
        r#""key_ops":["verify",1]"#,
        r#""alg":"RSA-OAEP""#,
        r#""alg":"ES256""#,
        r#""alg":"HS256""#,
        r#""alg":"none""#,
        r#""alg":1"#,
        r#""d":"AQAB""#,
        r#""k":"AQAB""#,
        r#""kid":1"#,
        &format!(r#""kid":"{}""#, "k".repeat(257)),
    ] {
        check_parse(&format!("{{{}}}", jwk(rsa(), members)), Err(KeySetError::Empty));
    }
    let ps256 = [jwk(rsa(), r#""kid":"a","alg":"PS256""#)];
    check(&ps256, rsa(), Algorithm::Rs256, Some("a"), Err(Unverified::KeyMismatch));
    check(&ps256, rsa(), Algorithm::Rs256, None, Err(Unverified::KeyMismatch));
    check(&ps256, rsa(), Algorithm::Ps256, Some("a"), Ok(()));
    let verify = [jwk(rsa(), r#""kid":"a","use":"sig","key_ops":["verify","sign"],"alg":"RS256""#)];
    check(&verify, rsa(), Algorithm::Rs256, Some("a"), Ok(()));
}

#[test]
fn weak_and_malformed_keys_are_left_out() {
    let small = |size: usize| format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, part(vec![0xff; size / 8]));
    check_parse(&small(1024), Err(KeySetError::Empty));
    check_parse(&small(2040), Err(KeySetError::Empty));
    check_parse(&small(2048), Ok(1));
    check_parse(&small(16_384), Err(KeySetError::Empty));
    let n = rsa().material();
    for e in ["", "AA", "AQ", "Ag", "AQABAQABAQAB", "AQAB="] {
        check_parse(&format!("{{{}}}", n.replace("AQAB", e)), Err(KeySetError::Empty));
    }
    let zero = part([0; 32]);
    for key in [
        r#"{"kty":"oct","k":"c2VjcmV0"}"#,
        r#"{"kty":"EC","crv":"P-521","x":"AQ","y":"AQ"}"#,
        r#"{"kty":"EC","crv":"secp256k1","x":"AQ","y":"AQ"}"#,
        &format!(r#"{{"kty":"EC","crv":"P-256","x":"{zero}","y":"{zero}"}}"#),
        r#"{"kty":"OKP","crv":"Ed448","x":"AQ"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AQ"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"AQ"}"#,
        r#"{"kty":"RSA"}"#,
        r#"{"kty":1}"#,
        "{}",
    ] {
        check_parse(key, Err(KeySetError::Empty));
        check_parse(&format!("{key},{{{}}}", p256().material()), Ok(1));
    }
}

#[test]
fn j25_what_is_no_key_set_is_refused_whole() {
    for document in [
        "",
        "<html>200 OK</html>",
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"error":"down"}"#,
    ] {
        assert_eq!(KeySet::parse(document.as_bytes()).err(), Some(KeySetError::NotJwks), "{document}");
    }
    check_parse("", Err(KeySetError::Empty));
    let many = |count: usize| vec![format!("{{{}}}", p256().material()); count].join(",");
    check_parse(&many(100), Ok(100));
    check_parse(&many(101), Err(KeySetError::NotJwks));
    let huge = format!(r#"{{"keys":[{}]}}{}"#, many(1), " ".repeat(10 << 20));
    assert_eq!(KeySet::parse(huge.as_bytes()).err(), Some(KeySetError::NotJwks));
    check_parse(&format!(r#"{{{},"kid":"a","kid":"b"}}"#, p256().material()), Err(KeySetError::NotJwks));
}

#[test]
fn j05_a_kid_is_only_ever_looked_up() {
    let keys = [jwk(p256(), r#""kid":"a""#)];
    check(&keys, p256(), Algorithm::Es256, Some("a"), Ok(()));
    for kid in ["A", "", "a\0", "../../etc/passwd", "' OR 1=1"] {
        check(&keys, p256(), Algorithm::Es256, Some(kid), Err(Unverified::UnknownKid));
    }
}

#[test]
fn a_token_without_kid_needs_exactly_one_key_for_its_algorithm() {
    let other = Signer::p256();
    check(&[jwk(p256(), r#""kid":"a""#)], p256(), Algorithm::Es256, None, Ok(()));
    check(&[p256().material(), rsa().material()], p256(), Algorithm::Es256, None, Ok(()));
    check(
        &[p256().material(), other.material()],
        p256(),
        Algorithm::Es256,
        None,
        Err(Unverified::KeyMismatch),
    );
    check(&[rsa().material()], p256(), Algorithm::Es256, None, Err(Unverified::KeyMismatch));
}

#[test]
fn keys_that_share_a_kid_are_tried_where_they_fit() {
    let signers: Vec<_> = (0..6).map(|_| Signer::p256()).collect();
    let keys: Vec<_> = signers.iter().map(|signer| jwk(signer, r#""kid":"a""#)).collect();
    for signer in &signers[..4] {
        check(&keys, signer, Algorithm::Es256, Some("a"), Ok(()));
    }
    // More than an issuer has any reason for: a signature is not tried with all of them.
    check(&keys, &signers[5], Algorithm::Es256, Some("a"), Err(Unverified::Signature));
    let mixed = [jwk(rsa(), r#""kid":"a""#), keys[0].clone()];
    check(&mixed, &signers[0], Algorithm::Es256, Some("a"), Ok(()));
    check(&mixed, rsa(), Algorithm::Rs256, Some("a"), Ok(()));
}

#[test]
fn the_fingerprint_is_of_all_that_a_key_is() {
    let print = |members: &str| key_set(&[jwk(rsa(), members)]).keys[0].fingerprint();
    let set = key_set(&[jwk(rsa(), r#""kid":"a""#)]);
    assert!(set.holds(print(r#""kid":"a","use":"sig""#)));
    assert!(!set.holds(print(r#""kid":"b""#)));
    assert!(!set.holds(print(r#""use":"sig""#)));
    assert!(!set.holds(print(r#""kid":"a","alg":"RS256""#)));
    assert!(!set.holds(key_set(&[jwk(p256(), r#""kid":"a""#)]).keys[0].fingerprint()));
}

#[test]
fn j17_weird_signatures_verify_nothing() {
    let keys = key_set(&[p256().material()]);
    let verify = |signature: &[u8]| keys.verify(Algorithm::Es256, None, MESSAGE, signature).map(|_| ());
    let good = p256().sign(Algorithm::Es256, MESSAGE);
    assert_eq!(verify(&good), Ok(()));
    let order = [
        [0xff; 4],
        [0; 4],
        [0xff; 4],
        [0xff; 4],
        [0xbc, 0xe6, 0xfa, 0xad],
        [0xa7, 0x17, 0x9e, 0x84],
        [0xf3, 0xb9, 0xca, 0xc2],
        [0xfc, 0x63, 0x25, 0x51],
    ]
    .concat();
    let r_zero = [&[0; 32], &good[32..]].concat();
    let s_zero = [&good[..32], &[0; 32]].concat();
    let s_order = [&good[..32], &order].concat();
    for signature in [
        vec![],
        vec![0; 64],
        vec![0xff; 64],
        vec![0; 21_000],
        good[..63].to_vec(),
        [good.as_slice(), &[0]].concat(),
        r_zero,
        s_zero,
        s_order,
        p256().sign_in_der(MESSAGE),
    ] {
        assert_eq!(verify(&signature), Err(Unverified::Signature), "{signature:?}");
    }
    let rsa_keys = key_set(&[rsa().material()]);
    for signature in [vec![], vec![0; 256], vec![0xff; 256], vec![1; 255], vec![1; 21_000]] {
        assert_eq!(rsa_keys.verify(Algorithm::Rs256, None, MESSAGE, &signature), Err(Unverified::Signature));
    }
    // The twin with n - s is as good: ECDSA in JWS has no low-s rule (RFC 7518 section 3.4), and signers make both.
    let twin = [&good[..32], &minus(&order, &good[32..])].concat();
    assert_eq!(verify(&twin), Ok(()));
}

fn minus(from: &[u8], number: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = Vec::new();
    for (a, b) in from.iter().rev().zip(number.iter().rev()) {
        let digit = i16::from(*a) - i16::from(*b) - borrow;
        borrow = i16::from(digit < 0);
        digits.push(u8::try_from(digit.rem_euclid(256)).unwrap());
    }
    digits.reverse();
    digits
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(document in r#"\{"keys":\[.{0,200}\]\}|.{0,100}"#) {
        let _ = KeySet::parse(document.as_bytes());
    }

    #[test]
    fn any_key_is_read_or_left_out(
        kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|Ed25519|x", n in "[A-Za-z0-9_-]{0,400}", e in "AQAB|[A-Za-z0-9_-]{0,9}",
        x in "[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{64}",
    ) {
        let key = format!(r#"{{"keys":[{{"kty":"{kty}","crv":"{crv}","n":"{n}","e":"{e}","x":"{x}","y":"{x}"}}]}}"#);
        if let Ok(keys) = KeySet::parse(key.as_bytes()) {
            for algorithm in Algorithm::ALL {
                prop_assert!(keys.verify(algorithm, None, MESSAGE, &[1; 64]).is_err());
            }
        }
    }
}
