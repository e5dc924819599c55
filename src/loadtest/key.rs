//! The key that signs callers' tokens.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use thiserror::Error;

/// A private key with its name.
pub struct SigningKey {
    pair: Pair,
    kid: String,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Why a key cannot be used. Names paths, never contents.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file is missing or no PEM.
    #[error(
        "{path}: {what}; a private key in PEM is needed (openssl ecparam -name prime256v1 -genkey -noout)"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another kind of key.
    #[error("{0}: neither an RSA key nor one of the curve P-256")]
    Kind(PathBuf),
    /// No key could be made.
    #[error("no key could be made: the machine has no randomness")]
    Make,
    /// The key does not sign.
    #[error("the key does not sign")]
    Sign,
}

impl SigningKey {
    /// A new one: P-256, which signs fastest of those that everybody accepts.
    ///
    /// # Errors
    /// [`KeyError::Make`].
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Make)?;
        Ok(Self::named(Pair::Ec(pair), None))
    }

    /// From a PEM file: RSA or P-256. Without a `kid` it is called by its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with the file.
    pub fn read(path: &Path, kid: Option<String>) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_file(path)
            .map_err(|error| KeyError::File { path: path.to_owned(), what: error.to_string() })?;
        let bytes = der.secret_der();
        let ec = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes);
        let rsa = || RsaKeyPair::from_pkcs8(bytes).or_else(|_| RsaKeyPair::from_der(bytes));
        let pair = ec.map(Pair::Ec).or_else(|_| rsa().map(Pair::Rsa));
        Ok(Self::named(pair.map_err(|_| KeyError::Kind(path.to_owned()))?, kid))
    }

    fn named(pair: Pair, kid: Option<String>) -> Self {
        let kid = kid.unwrap_or_else(|| {
            URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, pair.canonical().as_bytes()))
        });
        Self { pair, kid }
    }

    /// `alg` of its tokens.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The key set with its public half (RFC 7517).
    #[must_use]
    pub fn key_set(&self) -> Value {
        let mut jwk = self.pair.public();
        if let Value::Object(members) = &mut jwk {
            let more = [("use", "sig"), ("alg", self.algorithm()), ("kid", &self.kid)];
            members.extend(more.map(|(name, value)| (name.to_owned(), Value::from(value))));
        }
        json!({ "keys": [jwk] })
    }

    /// An access token with these claims.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub(crate) fn token(&self, claims: &Value) -> Result<String, KeyError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&self.header()), part(claims));
        let mut signature = vec![0; self.signature_length()];
        self.sign(text.as_bytes(), &mut signature)?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The header of its tokens; RFC 9068 section 2.1 names the type.
    pub(super) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm(), "kid": self.kid})
    }

    /// In bytes; all are alike.
    pub(super) fn signature_length(&self) -> usize {
        match &self.pair {
            Pair::Ec(_) => 64,
            Pair::Rsa(pair) => pair.public_modulus_len(),
        }
    }

    /// Writes the signature of `text` to `out`, which is as long as it.
    pub(super) fn sign(&self, text: &[u8], out: &mut [u8]) -> Result<(), KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, text).map_err(|_| KeyError::Sign)?;
                match signature.as_ref() {
                    signature if signature.len() == out.len() => out.copy_from_slice(signature),
                    _ => return Err(KeyError::Sign),
                }
                Ok(())
            }
            Pair::Rsa(pair) => pair.sign(&RSA_PKCS1_SHA256, &random, text, out).map_err(|_| KeyError::Sign),
        }
    }
}

impl Pair {
    fn public(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(pair) => {
                // SEC 1 section 2.3.3: 0x04, then x and y with 32 bytes each.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).unwrap_or_default();
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::Rsa(pair) => {
                let (n, e) = modulus_and_exponent(pair.public_key().as_ref()).unwrap_or_default();
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
        }
    }

    /// RFC 7638: the required members in the order of the alphabet, which is serde_json's.
    fn canonical(&self) -> String {
        self.public().to_string()
    }
}

/// `RSAPublicKey` of RFC 8017 appendix A.1.1: a sequence of two integers, in DER.
fn modulus_and_exponent(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inside, _) = element(key, 0x30)?;
    let (modulus, rest) = element(inside, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    // A zero byte keeps a large integer positive; RFC 7518 section 6.3.1 has none.
    Some((modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent.strip_prefix(&[0]).unwrap_or(exponent)))
}

/// The contents of an element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], mut rest) = der.split_first_chunk()?;
    let mut long = usize::from(length);
    if length >= 0x80 {
        let (bytes, after) = rest.split_at_checked(usize::from(length & 0x7f))?;
        long = bytes.iter().fold(0, |long, byte| long << 8 | usize::from(*byte));
        rest = after;
    }
    if found == tag { rest.split_at_checked(long) } else { None }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm(), self.kid)
    }
}
