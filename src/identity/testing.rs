//! Test keys and tokens, signed by aws-lc-rs directly so that nothing of this room checks itself.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Algorithm, IssuerSettings, KeySet};
use crate::base::UnixTime;

/// What time it is in these tests.
pub(crate) const NOW: UnixTime = UnixTime(1_700_000_000);
pub(crate) const ISSUER: &str = "https://idp.example.com";

/// A private key.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    P256 { pkcs8: Vec<u8>, pair: EcdsaKeyPair },
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(crate) fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The one RSA key of 2048 bits: making it takes a while.
pub(crate) fn rsa() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
}

/// A key that many tests share.
pub(crate) fn p256() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(Signer::p256)
}

impl Signer {
    pub(crate) fn p256() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pkcs8 = pkcs8.as_ref().to_vec();
        Self::P256 {
            pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap(),
            pkcs8,
        }
    }

    pub(crate) fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    /// The members of its JWK that hold the public key.
    pub(crate) fn material(&self) -> String {
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            format!(r#""kty":"EC","crv":"{curve}","x":"{}","y":"{}""#, part(x), part(y))
        };
        match self {
            Self::Rsa(pair) => {
                // SEQUENCE { INTEGER 0x00 and 256 bytes, INTEGER 65537 }
                let der = pair.public_key().as_ref();
                format!(r#""kty":"RSA","n":"{}","e":"AQAB""#, part(&der[9..265]))
            }
            Self::P256 { pair, .. } => point(pair, "P-256"),
            Self::P384(pair) => point(pair, "P-384"),
            Self::Ed25519(pair) => {
                format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, part(pair.public_key()))
            }
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_SHA512,
                    other => panic!("RSA cannot sign {other:?}"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::P256 { pair, .. } | Self::P384(pair) => {
                pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// An ECDSA signature in DER, as X.509 has it and JWS has not.
    pub(crate) fn sign_in_der(&self, message: &[u8]) -> Vec<u8> {
        let Self::P256 { pkcs8, .. } = self else { panic!("not a P-256 key") };
        let algorithm: &'static EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// A token with this header and these claims, as they are spelled.
    pub(crate) fn token(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = part(self.sign(algorithm, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// A key set of JWKs, each given by its members.
pub(crate) fn key_set(jwks: &[String]) -> KeySet {
    let jwks = jwks.iter().map(|members| format!("{{{members}}}")).collect::<Vec<_>>().join(",");
    KeySet::parse(format!(r#"{{"keys":[{jwks}]}}"#).as_bytes()).unwrap()
}

/// One issuer with everything allowed.
pub(crate) fn issuer() -> IssuerSettings {
    IssuerSettings {
        issuer: Arc::from(ISSUER),
        audiences: vec!["llm-gateway".into(), "other".into()],
        jwks_uri: None,
        algorithms: Algorithm::ALL.to_vec(),
        token_from: vec!["authorization".into(), "x-api-key".into()],
        groups_claim: Some("groups".into()),
        workloads: vec![super::WorkloadMark { claim: "idtyp".into(), value: "app".into() }],
        leeway: Duration::from_secs(30),
    }
}
