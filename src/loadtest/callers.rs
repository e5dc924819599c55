//! Who asks: nobody known, one caller with a ready token, or many, each with a token of its own.

use std::fmt;
use std::num::NonZeroUsize;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::key::{KeyError, SigningKey};

/// The callers of a load. Tokens of many are kept as one text and a signature each: a million of ES256 take 64 MB.
pub struct Callers(Kind);

enum Kind {
    /// Without a token.
    Anonymous,
    /// All with this one.
    Token(String),
    Signed(Signed),
}

/// Tokens that differ in the digits of `sub` and in the signature.
struct Signed {
    /// The token of the first.
    first: String,
    /// The claims' JSON.
    claims: Vec<u8>,
    /// Where the digits stand in it.
    digits: usize,
    width: usize,
    /// Where its encoded form starts in the token.
    start: usize,
    signature: usize,
    signatures: Vec<u8>,
}

/// What is said of signed callers.
#[derive(Clone, Debug)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Other claims, or others in the place of the usual ones.
    pub others: Vec<(String, Value)>,
    /// Unix time.
    pub issued: u64,
    /// Seconds that they are good for.
    pub lifetime: u64,
}

/// Why there are no callers.
#[derive(Debug, Error)]
pub enum CallersError {
    /// The key does not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// All would be the same.
    #[error("a claim `sub` makes all callers the same one; leave it out, or take --callers 1")]
    Subject,
}

/// Before the digits of `sub`.
const SUBJECT: &str = "caller-";

impl Callers {
    /// Requests without a token: by certificate, or to see a refusal.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(Kind::Anonymous)
    }

    /// One caller with this token.
    #[must_use]
    pub fn with_token(token: String) -> Self {
        Self(Kind::Token(token))
    }

    /// `count` callers, each with a `sub` and a token of its own. Takes all cores while it signs.
    ///
    /// # Errors
    /// [`CallersError`] says what to change.
    pub fn signed(key: &SigningKey, claims: &Claims, count: NonZeroUsize) -> Result<Self, CallersError> {
        if count.get() > 1 && claims.others.iter().any(|(name, _)| name == "sub") {
            return Err(CallersError::Subject);
        }
        let width = (count.get() - 1).to_string().len();
        let text = claims.json(width).to_string().into_bytes();
        let head = URL_SAFE_NO_PAD.encode(key.header().to_string());
        let start = head.len() + 1;
        let before = format!("\"sub\":\"{SUBJECT}");
        let digits = find(&text, before.as_bytes()).map(|place| place + before.len());
        let mut signed = Signed {
            first: String::new(),
            claims: text,
            digits: digits.unwrap_or_default(),
            width: if digits.is_some() { width } else { 0 },
            start,
            signature: key.signature_length(),
            signatures: vec![0; key.signature_length() * count.get()],
        };
        let mut signatures = std::mem::take(&mut signed.signatures);
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = count.get().div_ceil(cores);
        thread::scope(|scope| {
            let parts = signatures.chunks_mut(share * signed.signature).enumerate();
            let (signed, head) = (&signed, &head);
            let work = parts.map(|(part, out)| {
                scope.spawn(move || {
                    for (caller, out) in (part * share..).zip(out.chunks_exact_mut(signed.signature)) {
                        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(signed.claims_of(caller)));
                        key.sign(text.as_bytes(), out)?;
                    }
                    Ok::<_, KeyError>(())
                })
            });
            let work: Vec<_> = work.collect();
            work.into_iter().try_for_each(|part| part.join().unwrap_or(Err(KeyError::Sign)))
        })?;
        signed.signatures = signatures;
        let first = signed.signatures.get(..signed.signature).unwrap_or_default();
        signed.first = format!(
            "{head}.{}.{}",
            URL_SAFE_NO_PAD.encode(signed.claims_of(0)),
            URL_SAFE_NO_PAD.encode(first)
        );
        Ok(Self(Kind::Signed(signed)))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.0 {
            Kind::Anonymous | Kind::Token(_) => 1,
            Kind::Signed(signed) => signed.signatures.len() / signed.signature.max(1),
        }
    }

    /// The token of the first.
    pub(super) fn first(&self) -> Option<&str> {
        match &self.0 {
            Kind::Anonymous => None,
            Kind::Token(token) => Some(token),
            Kind::Signed(signed) => Some(&signed.first),
        }
    }

    /// Makes the token of the first, which stands in `token`, that of another.
    pub(super) fn write(&self, caller: usize, token: &mut [u8]) {
        if let Kind::Signed(signed) = &self.0 {
            // Every place was measured with the first token.
            let _all_there = signed.write(caller, token);
        }
    }
}

impl Signed {
    fn claims_of(&self, caller: usize) -> Vec<u8> {
        let mut claims = self.claims.clone();
        if let Some(place) = claims.get_mut(self.digits..self.digits + self.width)
            && let Some(digits) = digits(caller).get(DIGITS - self.width..)
        {
            place.copy_from_slice(digits);
        }
        claims
    }

    /// Encodes the digits, with what stands beside them in the same groups of three, and the signature.
    fn write(&self, caller: usize, token: &mut [u8]) -> Option<()> {
        if self.width > 0 {
            let first = self.digits / 3 * 3;
            let last = (self.digits + self.width).div_ceil(3) * 3;
            let last = last.min(self.claims.len());
            let mut group = [0; DIGITS + 6];
            let group = group.get_mut(..last - first)?;
            group.copy_from_slice(self.claims.get(first..last)?);
            let place = self.digits - first;
            group
                .get_mut(place..place + self.width)?
                .copy_from_slice(digits(caller).get(DIGITS - self.width..)?);
            let start = self.start + first / 3 * 4;
            URL_SAFE_NO_PAD.encode_slice(group, token.get_mut(start..)?).ok()?;
        }
        let signature = self.signatures.get(caller * self.signature..)?.get(..self.signature)?;
        let start = token.len().checked_sub((self.signature * 4).div_ceil(3))?;
        URL_SAFE_NO_PAD.encode_slice(signature, token.get_mut(start..)?).ok()?;
        Some(())
    }
}

/// As many as a `usize` has.
const DIGITS: usize = 20;

/// Decimal, with zeros before it.
fn digits(mut number: usize) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

impl Claims {
    fn json(&self, width: usize) -> Value {
        // What an identity provider sends of a person who has just passed MFA (RFC 8176, OIDC Core section 2).
        let mut claims = json!({
            "iss": self.issuer, "aud": self.audience, "sub": format!("{SUBJECT}{:0width$}", 0),
            "iat": self.issued, "nbf": self.issued, "exp": self.issued.saturating_add(self.lifetime),
            "auth_time": self.issued, "amr": ["pwd", "otp", "mfa"], "acr": "urn:example:acr:mfa",
            "email": "jane.doe@example.com", "name": "Jane Doe",
            "groups": ["engineering", "llm-users", "search"],
        });
        if let Value::Object(claims) = &mut claims {
            claims.extend(self.others.iter().cloned().collect::<Map<_, _>>());
        }
        claims
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len().max(1)).position(|window| window == part)
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callers({})", self.count())
    }
}
