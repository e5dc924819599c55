//! Signatures as they leave, against vectors that two other signers computed.

use super::keys::LAST_SECOND;
use super::*;
use crate::base::{Clock as _, ManualClock, Secret};
use crate::credential::BEDROCK_RUNTIME;
use crate::request::{EnvoyFacts, Half, PayloadHasher};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// 2026-01-01T00:00:00Z.
const NEW_YEAR: UnixTime = UnixTime(1_767_225_600);
const JSON: (&str, &[u8]) = ("content-type", b"application/json");
const US_EAST_1: &str = "bedrock-runtime.us-east-1.amazonaws.com";

fn keys() -> AwsKeys {
    AwsKeys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        session_token: Some(Secret::new("SESSIONTOKENEXAMPLE".to_owned())),
    }
}

fn signer(settings: SigningSettings) -> Signer {
    Signer::new(keys(), None, Arc::new(settings))
}

fn bedrock() -> SigningSettings {
    SigningSettings { endpoint_prefix: Some(BEDROCK_RUNTIME), ..SigningSettings::default() }
}

fn view<'a>(
    authority: &'a str,
    path: &'a str,
    lines: &[(&'a str, &'a [u8])],
    body: Body<'a>,
) -> RequestView<'a> {
    let envoy = EnvoyFacts::default();
    let headers = lines.iter().copied().collect();
    RequestView { method: "POST", authority, raw_path: path, headers, envoy, half: Half::Whole, body }
}

/// The lines of a signature, by name, and its `authorization` taken apart: credential, signed headers, signature.
struct Lines {
    credential: String,
    signed: String,
    signature: String,
    date: String,
    token: Option<String>,
}

fn sign(signer: &Signer, view: &RequestView<'_>) -> Result<Lines, SigningError> {
    let now = ManualClock::at(NEW_YEAR).now();
    let (set, told) = signer.sign(view, now, &ClockSkews::default())?;
    assert_eq!((told.at.unix, told.time), (NEW_YEAR, NEW_YEAR));
    let value = |name: &str| {
        let mut values = set.iter().filter(|line| line.name == name);
        let value = values.next().map(|line| String::from_utf8(line.value.wire().to_vec()).unwrap());
        assert!(values.next().is_none(), "{name} stands there once");
        value
    };
    let authorization = value("authorization").unwrap();
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").unwrap();
    let (credential, rest) = rest.split_once(", SignedHeaders=").unwrap();
    let (signed, signature) = rest.split_once(", Signature=").unwrap();
    let scope = format!("/20260101/{}/{}/aws4_request", told.region, told.service);
    assert!(credential.ends_with(&scope), "{credential} {scope}");
    let lines = Lines {
        credential: credential.to_owned(),
        signed: signed.to_owned(),
        signature: signature.to_owned(),
        date: value("x-amz-date").unwrap(),
        token: value("x-amz-security-token"),
    };
    assert_eq!(set.len(), 2 + usize::from(lines.token.is_some()));
    Ok(lines)
}

#[track_caller]
fn refused(signer: &Signer, view: &RequestView<'_>, why: SigningError) {
    assert_eq!(
        sign(signer, view).map(|lines| lines.credential),
        Err(why),
        "{} {}",
        view.authority,
        view.raw_path
    );
}

/// PROVIDERS section 3. Single encoding of the second path would have the signature of the first one, so that the two are
/// told apart by their paths only.
#[test]
fn the_golden_vectors_are_signed_path_by_path() {
    let model = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1";
    let arn = "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fabc123";
    for (region, path, signature) in [
        (
            "us-east-1",
            format!("{model}:0/converse"),
            "524113239a0641bbddf5b83f0222688a383460f407eb8dd5d5b73ec41d6ba05e",
        ),
        (
            "us-east-1",
            format!("{model}%3A0/converse"),
            "d9f393ee12699fb68aa29bc2513452c0a6c9e9e1dccc999f4f751928c80eb3da",
        ),
        (
            "us-west-2",
            format!("/model/{arn}/converse-stream"),
            "e9b8091ea1acf937bc5c303b1abcf5e1edc86190149a79522158191c05290afb",
        ),
    ] {
        let host = format!("bedrock-runtime.{region}.amazonaws.com");
        let view = view(&host, &path, &[JSON], Body::Whole(b"{}"));
        let lines = sign(&signer(bedrock()), &view).unwrap();
        assert_eq!(lines.signature, signature, "{path}");
        assert_eq!(lines.signed, "content-type;host;x-amz-date;x-amz-security-token");
        assert_eq!(lines.credential, format!("AKIDEXAMPLE/20260101/{region}/bedrock/aws4_request"));
        assert_eq!(lines.date, "20260101T000000Z");
        assert_eq!(lines.token.as_deref(), Some("SESSIONTOKENEXAMPLE"));
    }
}

#[test]
fn a_body_that_came_by_is_signed_like_one_that_is_whole() {
    let body = |body| sign(&signer(bedrock()), &view(US_EAST_1, "/", &[], body)).unwrap().signature;
    let mut hasher = PayloadHasher::default();
    hasher.update(b"a bo");
    hasher.update(b"dy");
    assert_eq!(body(Body::Hashed(hasher.finish())), body(Body::Whole(b"a body")));
    assert_eq!(body(Body::Empty), body(Body::Whole(b"")));
    assert_ne!(body(Body::Empty), body(Body::Whole(b"a")));
    assert_eq!(PayloadHash::of(&[]).hex(), EMPTY);
}

#[test]
fn no_more_lines_are_signed_than_leave_as_they_are() {
    let signed = |keys: AwsKeys, lines: &[(&str, &[u8])]| {
        let signer = Signer::new(keys, None, Arc::new(bedrock()));
        sign(&signer, &view(US_EAST_1, "/", lines, Body::Empty)).unwrap().signed
    };
    let others: &[(&str, &[u8])] = &[
        ("host", b"other.example"),
        ("content-length", b"2"),
        ("x-amz-date", b"20200101T000000Z"),
        ("x-amz-security-token", b"of the caller"),
        ("user-agent", b"curl"),
        ("accept", b"*/*"),
        ("x-amzn-bedrock-trace", b"ENABLED"),
    ];
    assert_eq!(signed(keys(), others), "host;x-amz-date;x-amz-security-token");
    assert_eq!(signed(AwsKeys { session_token: None, ..keys() }, others), "host;x-amz-date");
    assert_eq!(signed(keys(), &[JSON]), "content-type;host;x-amz-date;x-amz-security-token");
    let twice: &[(&str, &[u8])] = &[JSON, ("Content-Type", b"text/plain")];
    for lines in [
        twice,
        &[("content-type", b"")],
        &[("content-type", b"a\tb")],
        &[("content-type", b"caf\xc3\xa9")],
        &[("content-type", b"\xff")],
        &[("content-type", b"a;  b=c")],
    ] {
        assert_eq!(signed(keys(), lines), "host;x-amz-date;x-amz-security-token", "{:?}", lines[0].1);
    }
}

#[test]
fn only_the_date_can_be_seen_in_a_log() {
    let view = view(US_EAST_1, "/", &[], Body::Empty);
    let now = ManualClock::at(NEW_YEAR).now();
    let signed = signer(bedrock()).sign(&view, now, &ClockSkews::default()).unwrap();
    let text = format!("{signed:?} {:?}", signer(bedrock()));
    for secret in ["Signature=", "SESSIONTOKEN", "wJalrXUtnFEMI"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("20260101T000000Z"), "{text}");
}

#[test]
fn the_time_of_the_host_is_signed() {
    let (clock, clocks) = (ManualClock::at(NEW_YEAR), ClockSkews::default());
    let (signer, view) = (signer(bedrock()), view(US_EAST_1, "/", &[], Body::Empty));
    let (_, signed) = signer.sign(&view, clock.now(), &clocks).unwrap();
    let reading = super::super::ClockReading {
        signed: &signed,
        received: clock.now(),
        date: Some(b"Thu, 01 Jan 2026 00:05:00 GMT"),
        aged: false,
        refused: true,
    };
    clocks.observe(&reading);
    let (set, signed) = signer.sign(&view, clock.now(), &clocks).unwrap();
    assert_eq!((signed.at.unix, signed.time.0), (NEW_YEAR, NEW_YEAR.0 + 300));
    let date = set.iter().find(|line| line.name == "x-amz-date").unwrap();
    assert_eq!(date.value.wire(), b"20260101T000500Z");
}

#[test]
fn what_cannot_be_signed_is_refused_before_a_body_is_asked_for() {
    let signer = signer(bedrock());
    for (path, why) in [
        ("/model/m/converse?X-Amz-Signature=0", SigningError::Presigned),
        ("/model/m/converse?a=b+c", SigningError::Query),
        ("/model/arn:aws:bedrock:us-east-1:1:inference-profile/x/converse", SigningError::ModelArn),
        ("/a//b", SigningError::Canonical),
        ("/a<b", SigningError::Canonical),
    ] {
        for body in [Body::Awaited, Body::Lost(BodyFault::Length), Body::Whole(b"{}")] {
            refused(&signer, &view(US_EAST_1, path, &[], body), why);
        }
    }
    refused(&signer, &view("llm.example", "/", &[], Body::Awaited), SigningError::NoRegion);
    refused(&signer, &view(US_EAST_1, "/", &[], Body::Awaited), SigningError::BodyAwaited);
    refused(&signer, &view(US_EAST_1, "/", &[], Body::Lost(BodyFault::Length)), BodyFault::Length.into());
}

#[test]
fn a_time_that_no_date_can_say_is_refused() {
    let (signer, view) = (signer(bedrock()), view(US_EAST_1, "/", &[], Body::Empty));
    for far in [LAST_SECOND + 1, u64::MAX] {
        let now = Now { unix: UnixTime(far), ..ManualClock::at(NEW_YEAR).now() };
        let refused = signer.sign(&view, now, &ClockSkews::default()).map(|_| ());
        assert_eq!(refused, Err(SigningError::Canonical));
    }
}

#[test]
fn a_signature_of_our_own_is_known_by_its_key() {
    let id = |text: &'static str| access_key_id_of(text.as_bytes());
    assert_eq!(
        id("AWS4-HMAC-SHA256 Credential=AKID/20260101/r/s/aws4_request, SignedHeaders=h"),
        Some("AKID")
    );
    for other in [
        "",
        "Bearer AKID/",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=/x",
        "AWS4-HMAC-SHA256 Credential=AKID",
        "AWS4-HMAC-SHA256Credential=AKID/x",
        "AWS4-HMAC-SHA256 SignedHeaders=h, Credential=AKID/x",
        "AWS4-HMAC-SHA256 Credential=A KID/x",
        "AWS4-ECDSA-P256-SHA256 Credential=AKID/x",
    ] {
        assert_eq!(id(other), None, "{other}");
    }
    assert_eq!(access_key_id_of(b"AWS4-HMAC-SHA256 Credential=\xff/x"), None);
}
