//! One public key of an issuer (JWK, RFC 7517 and 7518 section 6), ready to verify.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Algorithm;
use super::json::Object;

const MAX_KID: usize = 256;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const UNCOMPRESSED_POINT: u8 = 4;

/// A key that can verify, with the algorithms it may be used with.
pub(super) struct Key {
    kid: Option<Box<str>>,
    fingerprint: Fingerprint,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// SHA-256 over all that a key is: its kid, its algorithms, its material. Two keys of one fingerprint are the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// Reads a JWK. None for a key that must not verify: for encryption, symmetric, private, weak, malformed or of an
    /// unknown type.
    pub(super) fn parse(jwk: &Object) -> Option<Self> {
        if !may_verify(jwk) {
            return None;
        }
        let kid = match jwk.member("kid") {
            None => None,
            Some(kid) => Some(kid.as_text().filter(|kid| kid.len() <= MAX_KID)?.into()),
        };
        let material = Material::parse(jwk)?;
        let only = match jwk.member("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.as_text()?)?),
        };
        let verifiers: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| only.is_none_or(|only| only == *algorithm))
            .filter_map(|algorithm| Some((algorithm, material.verifier(algorithm)?)))
            .collect();
        if verifiers.is_empty() {
            return None;
        }
        let fingerprint = material.fingerprint(kid.as_deref(), &verifiers);
        Some(Self { kid, fingerprint, verifiers })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What verifies `algorithm` with this key; none when they do not belong together.
    pub(super) fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.verifiers.iter().find(|(known, _)| *known == algorithm).map(|(_, verifier)| verifier)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.verifiers.iter().map(|(algorithm, _)| algorithm.name()).collect();
        f.debug_struct("Key").field("kid", &self.kid).field("algorithms", &algorithms).finish_non_exhaustive()
    }
}

fn may_verify(jwk: &Object) -> bool {
    let for_signatures = jwk.member("use").is_none_or(|value| value.as_text() == Some("sig"));
    let for_verifying = jwk.member("key_ops").is_none()
        || jwk.texts("key_ops").is_some_and(|operations| operations.contains(&"verify"));
    // Whoever can read the set can sign with a private or a symmetric key in it.
    let public = jwk.member("d").is_none() && jwk.member("k").is_none();
    for_signatures && for_verifying && public
}

impl Material {
    fn parse(jwk: &Object) -> Option<Self> {
        let number = |name| URL_SAFE_NO_PAD.decode(jwk.text(name)?).ok();
        match (jwk.text("kty")?, jwk.text("crv")) {
            ("RSA", _) => {
                let (n, e) = (without_leading_zeros(number("n")?), without_leading_zeros(number("e")?));
                (RSA_BITS.contains(&bits(&n)) && is_exponent(&e)).then_some(Self::Rsa { n, e })
            }
            ("EC", Some("P-256")) => Some(Self::P256(point(number("x")?, number("y")?, 32)?)),
            ("EC", Some("P-384")) => Some(Self::P384(point(number("x")?, number("y")?, 48)?)),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(number("x").filter(|x| x.len() == 32)?)),
            _ => None,
        }
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match (self, algorithm) {
            (Self::Rsa { n, e }, _) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_parameters(algorithm)?).ok()
            }
            (Self::P256(point), Algorithm::Es256) => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok()
            }
            (Self::P384(point), Algorithm::Es384) => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok()
            }
            (Self::Ed25519(x), Algorithm::EdDsa) => ParsedPublicKey::new(&signature::ED25519, x).ok(),
            _ => None,
        }
    }

    fn fingerprint(&self, kid: Option<&str>, verifiers: &[(Algorithm, ParsedPublicKey)]) -> Fingerprint {
        let (kind, first, second): (_, &[u8], &[u8]) = match self {
            Self::Rsa { n, e } => ("RSA", n, e),
            Self::P256(point) => ("P-256", point, &[]),
            Self::P384(point) => ("P-384", point, &[]),
            Self::Ed25519(x) => ("Ed25519", x, &[]),
        };
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut add = |field: &[u8]| {
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field);
        };
        [kind.as_bytes(), first, second, &[u8::from(kid.is_some())], kid.unwrap_or_default().as_bytes()]
            .into_iter()
            .chain(verifiers.iter().map(|(algorithm, _)| algorithm.name().as_bytes()))
            .for_each(&mut add);
        Fingerprint::of(&hash.finish())
    }
}

impl Fingerprint {
    pub(super) fn of(digest: &digest::Digest) -> Self {
        let mut bytes = [0; 32];
        // SHA-256 is 32 bytes long, so the two always fit.
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [vec![UNCOMPRESSED_POINT], x, y].concat())
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Odd, at least 3 and at most 33 bits, as the verifying library has it: a larger one only costs time.
fn is_exponent(e: &[u8]) -> bool {
    e.last().is_some_and(|last| last % 2 == 1) && (2..=33).contains(&bits(e))
}
