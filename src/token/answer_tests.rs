//! Answers of every shape (THREATS T06, T09, T10; PROVIDERS section 2.6).

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::base::{Clock as _, ManualClock};

const NOW: u64 = 1_800_000_000;

/// One and the same moment, whoever asks.
fn now() -> Now {
    static AT: LazyLock<Now> = LazyLock::new(|| ManualClock::at(UnixTime(NOW)).now());
    *AT
}

fn of(body: &str) -> Result<Token, SourceErrorKind> {
    token(&Answer::of(now(), body), &["asked".to_owned()])
}

fn with(member: &str) -> Result<Token, SourceErrorKind> {
    of(&format!(r#"{{"access_token":"opaque"{}{member}}}"#, if member.is_empty() { "" } else { "," }))
}

fn jwt(claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(claims))
}

/// How long it lives, in seconds.
fn lives(token: Result<Token, SourceErrorKind>) -> Result<u64, SourceErrorKind> {
    token.map(|token| token.left(now()).as_secs())
}

#[test]
fn t06_every_shape_of_expires_in_is_a_sane_life_or_refused() {
    let day = 86_400;
    for (member, expected) in [
        ("", 300),
        (r#""expires_in":3600"#, 3_600),
        (r#""expires_in":"3600""#, 3_600),
        (r#""expires_in":3600.0"#, 3_600),
        (r#""expires_in":3.6e3"#, 3_600),
        (r#""expires_in":1"#, 1),
        (r#""expires_in":31536000"#, 31_536_000),
        (r#""expires_in":31536001"#, day),
        (r#""expires_in":9223372036854775808"#, day),
        (r#""expires_in":18446744073709551615"#, day),
        (r#""expires_in":99999999999999999999999999"#, day),
        (r#""expires_in":"99999999999999999999999999""#, day),
        (r#""expires_in":1e300"#, day),
    ] {
        assert_eq!(lives(with(member)), Ok(expected), "{member}");
    }
    for value in [
        "0",
        "-1",
        "-0.0",
        "3600.5",
        "0.5",
        "null",
        "true",
        "[]",
        "[3600]",
        "{}",
        "\"\"",
        "\"-1\"",
        "\"0\"",
        "\" 3600\"",
        "\"3600.0\"",
        "\"1h\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"３６００\"",
    ] {
        let error = with(&format!(r#""expires_in":{value}"#)).unwrap_err();
        assert_eq!(error, AnswerFault::Life.into(), "{value}");
    }
    for value in ["1e400", "NaN", "Infinity", "-Infinity", "0x10", "3600s", "+1"] {
        let error = with(&format!(r#""expires_in":{value}"#)).unwrap_err();
        assert_eq!(error, AnswerFault::NotJson.into(), "{value}");
    }
}

#[test]
fn t06_without_expires_in_the_token_itself_says_its_end() {
    let exp = |exp: &str| of(&format!(r#"{{"access_token":"{}"}}"#, jwt(&format!(r#"{{"exp":{exp}}}"#))));
    assert_eq!(lives(exp(&(NOW + 1_200).to_string())), Ok(1_200));
    assert_eq!(lives(exp(&format!("{}.0", NOW + 1_200))), Ok(1_200));
    assert_eq!(lives(exp(&format!("{}.75", NOW + 1_200))), Ok(1_200), "RFC 7519 section 2");
    assert_eq!(lives(exp("99999999999999")), Ok(86_400), "beyond a year");
    for nonsense in ["-1", "true", "null", "[]"] {
        assert_eq!(lives(exp(nonsense)), Ok(300), "{nonsense}");
    }
    for over in [NOW, NOW - 1, 0] {
        assert_eq!(exp(&over.to_string()).unwrap_err(), AnswerFault::Over.into());
    }
    for opaque in ["a.b.c", "a.b", "..", &jwt("[]"), &jwt("{")] {
        assert_eq!(lives(of(&format!(r#"{{"access_token":"{opaque}"}}"#))), Ok(300), "{opaque}");
    }
}

#[test]
fn the_earlier_of_two_ends_counts() {
    let both = |exp: u64| {
        of(&format!(r#"{{"access_token":"{}","expires_in":3600}}"#, jwt(&format!(r#"{{"exp":{exp}}}"#))))
    };
    assert_eq!(lives(both(NOW + 600)), Ok(600));
    assert_eq!(lives(both(NOW + 7_200)), Ok(3_600));
    assert_eq!(both(NOW - 600).unwrap_err(), AnswerFault::Over.into());
}

#[test]
fn expires_on_of_managed_identities_is_read() {
    assert_eq!(lives(with(&format!(r#""expires_on":"{}""#, NOW + 900))), Ok(900));
    assert_eq!(lives(with(&format!(r#""expires_on":{}"#, NOW + 900))), Ok(900));
    assert_eq!(lives(with(&format!(r#""expires_in":"86399","expires_on":"{}""#, NOW + 900))), Ok(900));
    assert_eq!(lives(with(r#""expires_in":900,"expires_on":"11/05/2027 15:18:31 +00:00""#)), Ok(900));
    assert_eq!(with(r#""expires_on":"11/05/2027""#).unwrap_err(), AnswerFault::Life.into());
    assert_eq!(with(&format!(r#""expires_on":"{}""#, NOW - 9)).unwrap_err(), AnswerFault::Over.into());
}

#[test]
fn ext_expires_in_is_no_life() {
    assert_eq!(lives(with(r#""expires_in":60,"ext_expires_in":86400"#)), Ok(60));
    assert_eq!(lives(with(r#""ext_expires_in":86400"#)), Ok(300));
}

#[test]
fn refresh_in_is_a_hint_and_nonsense_is_none() {
    for (value, expected) in
        [("43200", Some(43_200)), ("\"43200\"", Some(43_200)), ("-1", None), ("true", None), ("null", None)]
    {
        let token = with(&format!(r#""expires_in":86400,"refresh_in":{value}"#)).unwrap();
        assert_eq!(token.refresh_in, expected.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn t09_only_bearer_tokens_can_stand_in_a_header() {
    for kind in ["", r#""token_type":"Bearer""#, r#""token_type":"bearer""#, r#""token_type":"BEARER""#] {
        assert!(with(kind).is_ok(), "{kind}");
    }
    for kind in ["DPoP", "dpop", "DPOP"] {
        let error = with(&format!(r#""token_type":"{kind}""#)).unwrap_err();
        assert_eq!(error, AnswerFault::DPoP.into());
        assert!(error.to_string().contains("have the client issued bearer tokens"));
    }
    for kind in ["\"mac\"", "\"N_A\"", "\"pop\"", "\"Bearer \"", "\"\"", "1", "[]", "null", "true", "{}"] {
        let error = with(&format!(r#""token_type":{kind}"#)).unwrap_err();
        assert_eq!(error, AnswerFault::TokenType.into(), "{kind}");
    }
}

#[test]
fn t10_a_token_that_no_header_can_carry_is_refused() {
    for token in ["a\\r\\nx: y", "a b", "a\\u0000", "é", "\\t", " a", "a\\n", &"a".repeat((16 << 10) + 1)] {
        let error = of(&format!(r#"{{"access_token":"{token}"}}"#)).unwrap_err();
        assert_eq!(error, AnswerFault::UnfitToken.into(), "{token:.20}");
    }
    for body in [
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":1}"#,
        r#"{"access_token":null}"#,
        r#"{"access_token":["a"]}"#,
    ] {
        assert_eq!(of(body).unwrap_err(), AnswerFault::NoToken.into(), "{body}");
    }
    assert!(of(&format!(r#"{{"access_token":"{}"}}"#, "a".repeat(16 << 10))).is_ok());
}

#[test]
fn a_bound_token_is_refused_with_a_sentence() {
    let certificate = r#""cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}"#;
    let in_token = jwt(&format!("{{{certificate}}}"));
    let proof = jwt(r#"{"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}"#);
    let bound = AnswerFault::CertificateBound;
    assert_eq!(with(certificate).unwrap_err(), bound.into());
    assert_eq!(of(&format!(r#"{{"access_token":"{in_token}"}}"#)).unwrap_err(), bound.into());
    assert!(bound.to_string().contains("have the client issued tokens that are not bound"));
    assert_eq!(of(&format!(r#"{{"access_token":"{proof}"}}"#)).unwrap_err(), AnswerFault::DPoP.into());
    assert!(with(r#""cnf":null"#).is_ok());
}

#[test]
fn t15_the_scopes_are_those_of_the_answer_else_those_asked_for() {
    assert_eq!(with("").unwrap().scopes, ["asked"]);
    assert_eq!(with(r#""scope":"a  b""#).unwrap().scopes, ["a", "b"]);
    assert_eq!(with(r#""scope":["a","b"]"#).unwrap().scopes, ["a", "b"]);
    assert_eq!(with(r#""scope":"""#).unwrap().scopes, [""; 0]);
    assert_eq!(with(r#""scope":"a\u001b[2J b""#).unwrap().scopes, ["b"]);
    for nonsense in ["1", "null", "[1]", "{}"] {
        assert_eq!(with(&format!(r#""scope":{nonsense}"#)).unwrap().scopes, ["asked"], "{nonsense}");
    }
}

#[test]
fn garbage_is_no_answer() {
    for body in
        ["", "null", "[]", "\"a\"", "<html>", "{\"access_token\":\"a\"", "access_token=a&expires_in=1"]
    {
        assert_eq!(of(body).unwrap_err(), AnswerFault::NotJson.into(), "{body}");
    }
    let twice = r#"{"access_token":"a","access_token":"b"}"#;
    assert_eq!(of(twice).unwrap_err(), AnswerFault::NotJson.into());
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let error = of(r#"{"error":"invalid_grant","error_description":"x"}"#).unwrap_err();
    assert!(matches!(error, SourceErrorKind::OAuth { code: OAuthCode::InvalidGrant, status: 200, .. }));
}

#[test]
fn debug_of_a_token_shows_nothing_of_it() {
    let answer = Answer::of(now(), r#"{"access_token":"hunter2"}"#);
    assert!(!format!("{answer:?}{:?}", token(&answer, &[])).contains("hunter2"));
}
