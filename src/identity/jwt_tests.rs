//! What claims are worth, once the signature is verified.

use super::*;
use crate::identity::testing::{ISSUER, NOW, issuer};

const GOOD: &str = r#""aud":"llm-gateway","exp":1700000060,"sub":"alice""#;

fn read(claims: &str, now: UnixTime) -> Result<VerifiedPrincipal, IdentityError> {
    let claims = Object::parse(format!("{{{claims}}}").as_bytes()).expect("claims are JSON");
    principal(&issuer(), &claims, now)
}

#[track_caller]
fn check(claims: &str, expected: Result<(), IdentityError>) {
    assert_eq!(read(claims, NOW).map(|_| ()), expected, "{claims}");
}

#[track_caller]
fn check_at(claims: &str, now: u64, expected: Result<(), TokenError>) {
    assert_eq!(read(claims, UnixTime(now)).map(|_| ()), expected.map_err(Into::into), "{claims} at {now}");
}

#[track_caller]
fn check_kind(claims: &str, expected: PrincipalKind) {
    assert_eq!(read(claims, NOW).unwrap().principal().kind, expected, "{claims}");
}

#[test]
fn a_good_token_names_its_person() {
    let verified = read(&format!(r#"{GOOD},"groups":["a","b"]"#), NOW).unwrap();
    let principal = verified.principal();
    assert_eq!((&*principal.issuer, &*principal.subject), (ISSUER, "alice"));
    assert_eq!(principal.kind, PrincipalKind::Person);
    assert_eq!(principal.groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(verified.not_after(), UnixTime(1_700_000_090));
}

#[test]
fn j07_the_audience_is_one_of_ours() {
    let with = |aud: &str| format!(r#""exp":1700000060,"sub":"alice"{aud}"#);
    for aud in [r#","aud":"llm-gateway""#, r#","aud":["evil","llm-gateway"]"#, r#","aud":["other"]"#] {
        check(&with(aud), Ok(()));
    }
    for aud in [
        "",
        r#","aud":"evil""#,
        r#","aud":[]"#,
        r#","aud":"""#,
        r#","aud":"LLM-gateway""#,
        r#","aud":"llm-gateway evil""#,
    ] {
        check(&with(aud), Err(TokenError::Audience.into()));
    }
    for aud in [
        r#","aud":1"#,
        r#","aud":null"#,
        r#","aud":{}"#,
        r#","aud":["llm-gateway",1]"#,
        r#","aud":[["llm-gateway"]]"#,
    ] {
        check(&with(aud), Err(TokenError::ClaimType.into()));
    }
}

#[test]
fn j09_a_token_holds_until_its_expiry_and_the_leeway() {
    let exp = |exp: &str| format!(r#""aud":"other","sub":"alice","exp":{exp}"#);
    check_at(&exp("1700000000"), 1_700_000_001, Ok(()));
    check_at(&exp("1700000000"), 1_700_000_030, Ok(()));
    check_at(&exp("1700000000"), 1_700_000_031, Err(TokenError::Expired));
    check_at(&exp("1700000000.9"), 1_700_000_031, Err(TokenError::Expired));
    check_at(&exp("0"), 1_700_000_000, Err(TokenError::Expired));
    for bad in [
        "\"1800000000\"",
        "-1",
        "1e300",
        "null",
        "true",
        "[1800000000]",
        "18446744073709551615",
        "253402300800",
    ] {
        check_at(&exp(bad), 1_700_000_000, Err(TokenError::NoExpiry));
    }
    check_at(r#""aud":"other","sub":"alice""#, 0, Err(TokenError::NoExpiry));
}

#[test]
fn j11_a_token_of_the_future_is_refused() {
    for name in ["nbf", "iat"] {
        check(&format!(r#"{GOOD},"{name}":1700000000"#), Ok(()));
        check(&format!(r#"{GOOD},"{name}":1700000030"#), Ok(()));
        check(&format!(r#"{GOOD},"{name}":1700000031"#), Err(TokenError::NotYet.into()));
        check(&format!(r#"{GOOD},"{name}":1700000030.1"#), Err(TokenError::NotYet.into()));
        for bad in ["\"1\"", "-1", "1e300", "null", "[]"] {
            check(&format!(r#"{GOOD},"{name}":{bad}"#), Err(TokenError::ClaimType.into()));
        }
    }
}

#[test]
fn j19_a_token_without_a_subject_is_nobody() {
    let sub = |sub: &str| format!(r#""aud":"other","exp":1700000060{sub}"#);
    for blank in [
        "",
        r#","sub":"""#,
        r#","sub":"  ""#,
        r#","sub":"\t\n""#,
        r#","sub":"\u00a0\u2003""#,
        r#","sub":"\u0000""#,
    ] {
        check(&sub(blank), Err(IdentityError::NoSubject));
    }
    for bad in ["1", "null", "[\"alice\"]"] {
        check(&sub(&format!(r#","sub":{bad}"#)), Err(TokenError::ClaimType.into()));
    }
}

#[test]
fn j19_j31_a_workload_is_known_by_its_mark_or_its_subject() {
    let with = |sub: &str, more: &str| format!(r#""aud":"other","exp":1700000060,"sub":"{sub}"{more}"#);
    for (sub, more) in [
        ("alice", r#","idtyp":"app""#),
        ("alice", r#","idtyp":["user","app"]"#),
        ("spiffe://mesh.example/ns/prod/sa/x", ""),
        ("spiffe://mesh.example", ""),
        ("SPIFFE://mesh.example/x", ""),
        ("system:serviceaccount:prod:x", ""),
    ] {
        check_kind(&with(sub, more), PrincipalKind::Workload);
    }
    for (sub, more) in [
        ("alice", r#","idtyp":"user""#),
        ("alice", r#","idtyp":{"app":"app"}"#),
        ("alice@spiffe://x/y", ""),
        ("my-system:serviceaccount:a:b", ""),
        ("ééé", ""),
    ] {
        check_kind(&with(sub, more), PrincipalKind::Person);
    }
}

#[test]
fn marks_compare_truths_and_numbers_by_their_text() {
    let marked = |value: &str, claim: &str| {
        has_value(
            Object::parse(format!(r#"{{"a":{claim}}}"#).as_bytes()).unwrap().member("a").unwrap(),
            value,
        )
    };
    assert!(marked("true", "true") && marked("1", "1") && marked("1", "1.0"));
    assert!(!marked("true", "false") && !marked("null", "null") && !marked("", "{}"));
}

#[test]
fn the_auth_context_is_what_the_claims_say_in_the_right_types_only() {
    let context = |claims: &str| read(&format!("{GOOD},{claims}"), NOW).unwrap().auth_context().clone();
    let texts = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect::<Box<[Box<str>]>>();
    let full = context(r#""amr":["pwd","mfa"],"acr":"loa2","acrs":["c1","c2"],"auth_time":1699999000.7"#);
    assert_eq!((full.amr, full.acr), (texts(&["pwd", "mfa"]), texts(&["loa2", "c1", "c2"])));
    assert_eq!(full.auth_time, Some(UnixTime(1_699_999_000)));
    assert_eq!(context(r#""acrs":"c1""#).acr, texts(&["c1"]));
    for claims in [
        r#""amr":"mfa","acr":["loa2"],"acrs":1,"auth_time":"1699999000""#,
        r#""amr":["mfa",1],"acr":2,"acrs":["c1",1],"auth_time":-5"#,
        r#""amr":{"mfa":"mfa"},"acr":null,"acrs":null,"auth_time":1e99"#,
        r#""amr":[["mfa"]],"acr":true,"acrs":{},"auth_time":[1699999000]"#,
    ] {
        assert_eq!(context(claims), AuthContext::default(), "{claims}");
    }
}

#[test]
fn groups_of_another_type_are_no_groups() {
    let groups = |claims: &str| read(&format!("{GOOD},{claims}"), NOW).unwrap().principal().groups.len();
    assert_eq!(groups(r#""groups":"one""#), 1);
    for claims in [r#""groups":1"#, r#""groups":["a",1]"#, r#""groups":{"a":"b"}"#, r#""x":["a"]"#] {
        assert_eq!(groups(claims), 0, "{claims}");
    }
}
