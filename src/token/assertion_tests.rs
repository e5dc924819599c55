//! Assertions as another library reads them.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

use super::*;

const NOW: UnixTime = UnixTime(4_000_000_000);

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

fn pem(label: &str, der: &[u8]) -> Secret<String> {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    Secret::new(format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"))
}

#[track_caller]
fn check(key: &KeyPair, pem: &Secret<String>, scheme: RsaScheme, algorithm: Algorithm) {
    let signing = SigningKey::from_pem(pem, scheme).unwrap();
    let header = AssertionHeader { kid: Some("k1"), x5t_s256: Some("thumb") };
    let claims = client_claims("me", "https://idp.example/token", NOW).unwrap();
    let jwt = signing.sign(header, &claims).unwrap();
    let head = jsonwebtoken::decode_header(jwt.expose()).unwrap();
    assert_eq!(
        (head.alg, head.kid.as_deref(), head.x5t_s256.as_deref(), head.typ.as_deref()),
        (algorithm, Some("k1"), Some("thumb"), Some("JWT"))
    );
    let public = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => DecodingKey::from_rsa_der(key.public_key_raw()),
        _ => DecodingKey::from_ec_der(key.public_key_raw()),
    };
    let mut rules = Validation::new(algorithm);
    rules.set_audience(&["https://idp.example/token"]);
    let read = jsonwebtoken::decode::<Value>(jwt.expose(), &public, &rules).unwrap().claims;
    assert_eq!((&read["iss"], &read["sub"]), (&json!("me"), &json!("me")));
    assert!(!format!("{signing:?}{jwt:?}").contains(&jwt.expose()[..20]));
}

#[test]
fn every_kind_of_key_signs_as_its_algorithm_says() {
    let rsa = rsa();
    let pkcs8 = Secret::new(rsa.serialize_pem());
    check(&rsa, &pkcs8, RsaScheme::Rs256, Algorithm::RS256);
    check(&rsa, &pkcs8, RsaScheme::Ps256, Algorithm::PS256);
    for (kind, algorithm) in
        [(&PKCS_ECDSA_P256_SHA256, Algorithm::ES256), (&PKCS_ECDSA_P384_SHA384, Algorithm::ES384)]
    {
        let key = KeyPair::generate_for(kind).unwrap();
        check(&key, &Secret::new(key.serialize_pem()), RsaScheme::Rs256, algorithm);
    }
}

#[test]
fn the_older_forms_of_pem_are_read() {
    let rsa = rsa();
    // The PKCS #1 key is the last octet string of the PKCS #8 one: after 26 octets of frame for 2048 bits.
    check(&rsa, &pem("RSA PRIVATE KEY", &rsa.serialize_der()[26..]), RsaScheme::Rs256, Algorithm::RS256);
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pkcs8 = ec.serialize_der();
    let at = pkcs8.windows(3).position(|part| part == [0x02, 0x01, 0x01]).unwrap() - 2;
    check(&ec, &pem("EC PRIVATE KEY", &pkcs8[at..]), RsaScheme::Rs256, Algorithm::ES256);
}

#[test]
fn what_cannot_sign_is_no_key() {
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
    let cut = rsa().serialize_pem()[..400].to_owned();
    for text in
        ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &ed25519, &cut]
    {
        let error = SigningKey::from_pem(&Secret::new(text.to_owned()), RsaScheme::Rs256).unwrap_err();
        assert_eq!(error, MaterialFault::PrivateKey);
    }
}

#[test]
fn an_assertion_is_unique_and_short_lived() {
    let (one, other) = (client_claims("me", "a", NOW).unwrap(), client_claims("me", "a", NOW).unwrap());
    assert_ne!(one["jti"], other["jti"]);
    assert_eq!(one["iat"], json!(NOW.0));
    assert!(one["exp"].as_u64().unwrap() - NOW.0 <= 300);
}

#[test]
fn a_thumbprint_is_the_sha_256_of_the_first_certificate() {
    let key = KeyPair::generate().unwrap();
    let made =
        rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, made.der()));
    assert_eq!(thumbprint(&made.pem()).unwrap(), expected);
    assert_eq!(expected.len(), 43);
    assert_eq!(thumbprint("no certificate"), Err(MaterialFault::Certificate));
}
