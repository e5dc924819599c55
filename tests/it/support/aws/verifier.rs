//! A verifier of Signature Version 4, written from "Create a signed AWS API request" of the IAM User Guide. It shares no
//! code with the signer, and is stricter than AWS where AWS forgives what only luck lets pass.

use aws_lc_rs::hmac;

use super::encoding::{decode, encode, encode_path, hex, normal, sha256_hex};
use super::instant;

/// A request as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) method: &'a str,
    /// Path and query, not decoded.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// What belongs to an access key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) secret: String,
    /// Temporary credentials have one.
    pub(crate) token: Option<String>,
}

/// What a good request said.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) access_key_id: String,
    /// `20260101/us-east-1/bedrock/aws4_request`.
    pub(crate) scope: String,
    /// `x-amz-date`.
    pub(crate) date: String,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No `authorization` of AWS.
    Missing,
    /// A part that is not there or not of the right form.
    Incomplete(String),
    UnknownKey(String),
    /// Not the session token of the key.
    Token(String),
    /// Another day, region, or service.
    Scope(String),
    /// More than five minutes from the verifier's clock.
    Date(String),
    /// A header that must be signed and is not, or is there twice.
    Header(String),
    /// A hash in a header that is not the body's.
    Body(String),
    /// Everything is in place, and the signature is another one.
    Signature {
        canonical: String,
        string_to_sign: String,
        guess: &'static str,
    },
}

/// Of which region and service.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    pub(crate) region: String,
    pub(crate) service: String,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const WINDOW: i64 = 300;

impl Verifier {
    pub(crate) fn new(region: &str, service: &str) -> Self {
        Self { region: region.to_owned(), service: service.to_owned() }
    }

    /// # Errors
    /// What is wrong with it, at a time of `now` seconds of Unix time.
    pub(crate) fn verify(
        &self,
        request: &Arrived<'_>,
        key: impl Fn(&str) -> Option<Key>,
        now: i64,
    ) -> Result<Verified, Fault> {
        let authorization = request.one("authorization")?.ok_or(Fault::Missing)?;
        let fields = authorization.strip_prefix(ALGORITHM).ok_or(Fault::Missing)?;
        let field = |name: &str| {
            let mut found =
                fields.split(',').filter_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='));
            found.next().filter(|_| found.next().is_none()).ok_or_else(|| Fault::Incomplete(name.to_owned()))
        };
        let (credential, names, signature) =
            (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
        let (access_key_id, scope) =
            credential.split_once('/').ok_or_else(|| Fault::Incomplete("Credential".to_owned()))?;
        let date = request.one("x-amz-date")?.ok_or_else(|| Fault::Incomplete("x-amz-date".to_owned()))?;
        let at = instant::parse(date).ok_or_else(|| Fault::Incomplete("x-amz-date".to_owned()))?;
        let expected = self.scope(date);
        if scope != expected {
            return Err(Fault::Scope(format!("{scope}, not {expected}")));
        }
        if (at - now).abs() > WINDOW {
            return Err(Fault::Date(format!("{date}, and it is {}", instant::format(now))));
        }
        let key = key(access_key_id).ok_or_else(|| Fault::UnknownKey(access_key_id.to_owned()))?;
        let token = request.one("x-amz-security-token")?;
        if token != key.token.as_deref() {
            let what = if token.is_none() { "none came" } else { "another one came" };
            return Err(Fault::Token(what.to_owned()));
        }
        let signed: Vec<&str> = names.split(';').collect();
        if !signed.is_sorted_by(|one, next| one < next) || names.to_lowercase() != names {
            return Err(Fault::Header(format!("SignedHeaders={names} is not sorted, unique and lower case")));
        }
        let required = request.headers.iter().map(|(name, _)| name.to_lowercase());
        let required = required.filter(|name| name == "host" || name.starts_with("x-amz-"));
        for name in required.chain(["host".to_owned()]) {
            if !signed.contains(&name.as_str()) {
                return Err(Fault::Header(format!("{name} is not signed")));
            }
        }
        for name in &signed {
            request.one(name)?.ok_or_else(|| Fault::Header(format!("{name} is signed and did not come")))?;
        }
        let hash = sha256_hex(request.body);
        if let Some(told) = request.one("x-amz-content-sha256")?.filter(|told| *told != hash) {
            return Err(Fault::Body(format!("x-amz-content-sha256 is {told}, the body's is {hash}")));
        }
        let path = request.target.split('?').next().unwrap_or_default();
        let with = |path: &str, hash: &str| self.mac(request, (path, hash), &signed, date, &key.secret);
        let (mac, canonical, string_to_sign) = with(&encode_path(&normal(path)), &hash);
        if mac != signature {
            let empty = sha256_hex(b"");
            let guesses = [
                ("the path was encoded once", normal(path), hash.as_str()),
                (
                    "the path was encoded once, after decoding",
                    encode_path(&String::from_utf8_lossy(&decode(&normal(path)))),
                    &hash,
                ),
                ("the path was not normalised", encode_path(path), &hash),
                ("the hash of an empty body was signed", encode_path(&normal(path)), &empty),
                ("UNSIGNED-PAYLOAD was signed", encode_path(&normal(path)), "UNSIGNED-PAYLOAD"),
            ];
            let guess = guesses.iter().find(|(_, path, hash)| with(path, hash).0 == signature);
            let guess = guess.map_or("another key, header, host or body was signed", |(guess, ..)| guess);
            return Err(Fault::Signature { canonical, string_to_sign, guess });
        }
        Ok(Verified {
            access_key_id: access_key_id.to_owned(),
            scope: scope.to_owned(),
            date: date.to_owned(),
            signed_headers: signed.into_iter().map(str::to_owned).collect(),
            signature: mac,
        })
    }

    /// The `authorization` of a request that has all its other headers: how cases speak to `moto` themselves.
    pub(crate) fn authorization(&self, request: &Arrived<'_>, id: &str, secret: &str, date: &str) -> String {
        let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        names.sort();
        let signed: Vec<&str> = names.iter().map(String::as_str).collect();
        let path = encode_path(request.target.split('?').next().unwrap_or_default());
        let (mac, ..) = self.mac(request, (&path, &sha256_hex(request.body)), &signed, date, secret);
        let (scope, signed) = (self.scope(date), signed.join(";"));
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed}, Signature={mac}")
    }

    /// The signature, with the two texts that it is made of.
    fn mac(
        &self,
        request: &Arrived<'_>,
        (path, hash): (&str, &str),
        signed: &[&str],
        date: &str,
        secret: &str,
    ) -> (String, String, String) {
        let canonical = request.canonical(path, signed, hash);
        let hashed = sha256_hex(canonical.as_bytes());
        let string_to_sign = format!("{ALGORITHM}\n{date}\n{}\n{hashed}", self.scope(date));
        let mac = hex(hmac::sign(&self.key(secret, date), string_to_sign.as_bytes()).as_ref());
        (mac, canonical, string_to_sign)
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", date.get(..8).unwrap_or_default(), self.region, self.service)
    }

    fn key(&self, secret: &str, date: &str) -> hmac::Key {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let parts = [date.get(..8).unwrap_or_default(), &self.region, &self.service, "aws4_request"];
        let start = key(format!("AWS4{secret}").as_bytes());
        parts.iter().fold(start, |last, part| key(hmac::sign(&last, part.as_bytes()).as_ref()))
    }
}

impl Arrived<'_> {
    /// The value of a header that must not come twice.
    fn one(&self, name: &str) -> Result<Option<&str>, Fault> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.as_str());
        if found.next().is_some() {
            return Err(Fault::Header(format!("{name} came twice")));
        }
        Ok(first)
    }

    fn canonical(&self, path: &str, signed: &[&str], hash: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut pairs: Vec<_> =
            pairs.map(|(name, value)| (encode(decode(name)), encode(decode(value)))).collect();
        pairs.sort();
        let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let lines = signed.iter().map(|name| {
            let value = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            let words = value.map_or("", |(_, value)| value).split(' ').filter(|word| !word.is_empty());
            format!("{name}:{}\n", words.collect::<Vec<_>>().join(" "))
        });
        let (query, lines) = (query.join("&"), lines.collect::<String>());
        format!("{}\n{path}\n{query}\n{lines}\n{}\n{hash}", self.method, signed.join(";"))
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
