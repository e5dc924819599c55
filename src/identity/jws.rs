//! JWS in compact form (RFC 7515 section 7.1), read strictly and before anything of it is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::Object;
use super::{Algorithm, TokenError};

const MAX_KID: usize = 256;

/// A token whose form is right. Nothing in it is verified yet. No `Debug`: it would print the token.
pub(super) struct Jws<'a> {
    /// What the header says it is signed with; never `none`, never symmetric.
    pub(super) algorithm: Algorithm,
    /// Which key; only ever compared with the kids of the issuer's key set.
    pub(super) kid: Option<String>,
    /// The claims.
    pub(super) claims: Object,
    /// The bytes that are signed.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// `jku`, `x5u`, `x5c` and `jwk` of the header are not looked at: a key comes from the issuer's set or not at all.
    ///
    /// # Errors
    /// [`TokenError`]: nobody may believe any of it.
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, TokenError> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::NotJws);
        };
        let signed = token.get(..header.len() + 1 + payload.len()).ok_or(TokenError::NotJws)?;
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header = Object::parse(&header).ok_or(TokenError::Json)?;
        let (algorithm, kid) = read_header(&header)?;
        let claims = Object::parse(&payload).ok_or(TokenError::Json)?;
        Ok(Self { algorithm, kid, claims, signed, signature })
    }
}

fn read_header(header: &Object) -> Result<(Algorithm, Option<String>), TokenError> {
    let algorithm = header.text("alg").and_then(Algorithm::parse).ok_or(TokenError::Algorithm)?;
    // No extension is known here, so any `crit` names an unknown one; an empty one is malformed (RFC 7515 section
    // 4.1.11).
    if header.member("crit").is_some() || header.member("zip").is_some() {
        return Err(TokenError::Extension);
    }
    if let Some(kind) = header.member("typ")
        && !kind.as_text().is_some_and(is_access_token)
    {
        return Err(TokenError::Kind);
    }
    let kid = match header.member("kid") {
        None => None,
        Some(kid) => match kid.as_text() {
            Some(text) if text.len() <= MAX_KID => Some(text.to_owned()),
            _ => return Err(TokenError::Kid),
        },
    };
    Ok((algorithm, kid))
}

/// Every other `typ` marks a JWT that was made for something else, a logout or a DPoP proof (RFC 8725 section 3.11).
/// `JOSE` is what SPIFFE allows for a JWT-SVID.
fn is_access_token(kind: &str) -> bool {
    ["jwt", "at+jwt", "application/jwt", "application/at+jwt", "jose"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

fn decode(part: &[u8]) -> Result<Vec<u8>, TokenError> {
    match URL_SAFE_NO_PAD.decode(part) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(TokenError::NotJws),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[track_caller]
    fn check(header: &str, expected: Result<(), TokenError>) {
        let token = format!("{}.{}.{}", part(header), part(r#"{"iss":"i"}"#), part("s"));
        assert_eq!(Jws::parse(token.as_bytes()).map(|_| ()), expected, "{header}");
    }

    #[test]
    fn j01_j02_an_algorithm_that_is_none_symmetric_or_missing_is_refused() {
        for alg in
            ["none", "None", "nOnE", "NONE", "", "HS256", "HS512", "rs256", "RSA-OAEP", "ES256K", "RS1"]
        {
            check(&format!(r#"{{"alg":"{alg}"}}"#), Err(TokenError::Algorithm));
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":256}"#] {
            check(header, Err(TokenError::Algorithm));
        }
        check(r#"{"alg":"RS256"}"#, Ok(()));
    }

    #[test]
    fn j05_a_kid_is_a_short_string() {
        check(r#"{"alg":"RS256","kid":"../../etc/passwd"}"#, Ok(()));
        check(r#"{"alg":"RS256","kid":"a\u0000b"}"#, Ok(()));
        check(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(256)), Ok(()));
        check(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257)), Err(TokenError::Kid));
        check(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(64 * 1024)), Err(TokenError::Kid));
        for kid in ["1", "null", "[]", "{}", "true"] {
            check(&format!(r#"{{"alg":"RS256","kid":{kid}}}"#), Err(TokenError::Kid));
        }
    }

    #[test]
    fn j12_j16_extensions_are_refused() {
        for extension in [
            r#""crit":["b64"],"b64":false"#,
            r#""crit":["x"],"x":1"#,
            r#""crit":[]"#,
            r#""crit":null"#,
            r#""zip":"DEF""#,
        ] {
            check(&format!(r#"{{"alg":"RS256",{extension}}}"#), Err(TokenError::Extension));
        }
    }

    #[test]
    fn j13_j14_header_and_claims_are_strict_json() {
        check(r#"{"alg":"RS256","alg":"none"}"#, Err(TokenError::Json));
        check(r#"["RS256"]"#, Err(TokenError::Json));
        for claims in [r#"{"sub":"a","sub":"admin"}"#, "[]", "x", &"[".repeat(9000)] {
            let token = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(claims), part("s"));
            assert_eq!(Jws::parse(token.as_bytes()).err(), Some(TokenError::Json), "{claims}");
        }
    }

    #[test]
    fn j15_only_three_parts_of_unpadded_base64url_are_a_jws() {
        let (header, payload, signature) =
            (part(r#"{"alg":"RS256"}"#), part(r#"{"iss":"i?>~"}"#), part("sig??>"));
        assert!(Jws::parse(format!("{header}.{payload}.{signature}").as_bytes()).is_ok());
        for token in [
            String::new(),
            header.clone(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!(".{payload}.{signature}"),
            format!("{header}..{signature}"),
            format!("{header}.{payload}.{signature}."),
            format!("{header}.{payload}.{signature}.x"),
            format!("{header}.{payload}.{signature}.x.y"),
            format!("{header}.{payload}.{signature}="),
            format!("{header}=.{payload}.{signature}"),
            format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")),
            format!("{header}.{payload}.{}", signature.replace(['-', '_'], "/")),
            format!(" {header}.{payload}.{signature}"),
            format!("{header}.{payload}.{signature}\n"),
            format!("{header}. {payload}.{signature}"),
            format!("{header}.{payload}.{signature}\0"),
            format!("{header}.{payload}.é"),
        ] {
            assert_eq!(Jws::parse(token.as_bytes()).err(), Some(TokenError::NotJws), "{token:?}");
        }
    }

    #[test]
    fn a_jwt_made_for_something_else_is_refused() {
        for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "JOSE"] {
            check(&format!(r#"{{"alg":"RS256","typ":"{kind}"}}"#), Ok(()));
        }
        for kind in
            [r#""logout+jwt""#, r#""dpop+jwt""#, r#""secevent+jwt""#, r#""JWE""#, r#""""#, "1", "null"]
        {
            check(&format!(r#"{{"alg":"RS256","typ":{kind}}}"#), Err(TokenError::Kind));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(token in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Jws::parse(&token);
        }

        #[test]
        fn any_json_in_place_is_read_or_refused(header in ".{0,80}", payload in ".{0,80}", signature in ".{1,20}") {
            let _ = Jws::parse(format!("{}.{}.{}", part(&header), part(&payload), part(&signature)).as_bytes());
        }
    }
}
