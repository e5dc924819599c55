//! The verifier by itself: what it takes, and which line it names when it does not.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW: i64 = 1_767_225_600;
const CONVERSE: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse";
const SIGNATURE: &str = "524113239a0641bbddf5b83f0222688a383460f407eb8dd5d5b73ec41d6ba05e";

/// Computed by `aws-sigv4` and by a Python reference; the three spellings of a model id.
const GOLDEN: [(&str, &str, &str); 3] = [
    ("us-east-1", CONVERSE, SIGNATURE),
    (
        "us-east-1",
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
        "d9f393ee12699fb68aa29bc2513452c0a6c9e9e1dccc999f4f751928c80eb3da",
    ),
    (
        "us-west-2",
        "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse-stream",
        "e9b8091ea1acf937bc5c303b1abcf5e1edc86190149a79522158191c05290afb",
    ),
];

fn headers(region: &str, signature: &str) -> Vec<(String, String)> {
    let signed = "content-type;host;x-amz-date;x-amz-security-token";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/{region}/bedrock/aws4_request, \
         SignedHeaders={signed}, Signature={signature}"
    );
    [
        ("Host", &*format!("bedrock-runtime.{region}.amazonaws.com")),
        ("Content-Type", "application/json"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("X-Amz-Security-Token", "SESSIONTOKENEXAMPLE"),
        ("Authorization", &authorization),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn verify(target: &str, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Verified, Fault> {
    let region = if target.contains("us-west-2") { "us-west-2" } else { "us-east-1" };
    let key = |id: &str| {
        let token = Some("SESSIONTOKENEXAMPLE".to_owned());
        (id == "AKIDEXAMPLE").then(|| Key { secret: SECRET.to_owned(), token })
    };
    let request = Arrived { method: "POST", target, headers, body };
    Verifier::new(region, "bedrock").verify(&request, key, now)
}

/// The first golden request with a change.
fn changed(change: impl FnOnce(&mut Vec<(String, String)>)) -> Fault {
    let mut lines = headers("us-east-1", SIGNATURE);
    change(&mut lines);
    verify(CONVERSE, &lines, b"{}", NOW).unwrap_err()
}

fn replaced(from: &str, to: &str) -> Fault {
    changed(|lines| lines.iter_mut().for_each(|(_, value)| *value = value.replace(from, to)))
}

#[test]
fn the_golden_signatures_are_taken() {
    for (region, target, signature) in GOLDEN {
        let verified = verify(target, &headers(region, signature), b"{}", NOW).unwrap();
        assert_eq!(verified.access_key_id, "AKIDEXAMPLE");
        assert_eq!(verified.scope, format!("20260101/{region}/bedrock/aws4_request"));
        assert_eq!(verified.date, "20260101T000000Z");
        assert_eq!(verified.signature, signature);
        assert_eq!(verified.signed_headers, ["content-type", "host", "x-amz-date", "x-amz-security-token"]);
        // A signature holds for one spelling, though a path that is encoded once would take two of them for one.
        for (_, other, _) in GOLDEN.iter().filter(|(r, other, _)| *r == region && *other != target) {
            assert!(verify(other, &headers(region, signature), b"{}", NOW).is_err(), "{target} for {other}");
        }
    }
}

#[test]
fn the_documented_mistakes_are_named() {
    let guess = |target: &str, signature: &str, body: &[u8]| match verify(
        target,
        &headers("us-east-1", signature),
        body,
        NOW,
    )
    .unwrap_err()
    {
        Fault::Signature { guess, canonical, .. } => (guess, canonical),
        other => panic!("{other:?}"),
    };
    // The very signature that is right for the raw colon.
    let (said, canonical) = guess(GOLDEN[1].1, SIGNATURE, b"{}");
    assert_eq!(said, "the path was encoded once");
    assert!(
        canonical.starts_with("POST\n/model/us.anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse\n\n")
    );
    let (said, _) = guess(CONVERSE, SIGNATURE, b"{ }");
    assert_eq!(said, "another key, header, host or body was signed");
}

#[test]
fn a_time_outside_of_five_minutes_is_refused() {
    let lines = headers("us-east-1", SIGNATURE);
    for (now, taken) in [(NOW + 300, true), (NOW - 300, true), (NOW + 301, false), (NOW - 301, false)] {
        let outcome = verify(CONVERSE, &lines, b"{}", now);
        assert_eq!(outcome.is_ok(), taken, "{outcome:?}");
        assert!(taken || matches!(outcome, Err(Fault::Date(_))));
    }
}

#[test]
fn every_line_that_is_wrong_is_named() {
    assert_eq!(changed(|lines| lines.truncate(4)), Fault::Missing);
    assert_eq!(replaced("AWS4-HMAC-SHA256", "Bearer"), Fault::Missing);
    assert_eq!(replaced("Signature=", "Sig="), Fault::Incomplete("Signature".to_owned()));
    assert_eq!(replaced("20260101T000000Z", "yesterday"), Fault::Incomplete("x-amz-date".to_owned()));
    assert_eq!(replaced("AKIDEXAMPLE", "AKIDOTHER"), Fault::UnknownKey("AKIDOTHER".to_owned()));
    assert_eq!(replaced("SESSIONTOKENEXAMPLE", "STALE"), Fault::Token("another one came".to_owned()));
    assert!(matches!(changed(|lines| drop(lines.remove(3))), Fault::Token(_)));
    assert!(matches!(replaced("us-east-1/", "eu-west-1/"), Fault::Scope(_)));
    assert!(matches!(replaced("/bedrock/", "/bedrock-runtime/"), Fault::Scope(_)));
    assert!(matches!(replaced("20260101/", "20260102/"), Fault::Scope(_)));
    for (from, to, said) in [
        ("content-type;host", "content-type;host;host", "is not sorted"),
        ("content-type;host", "host;content-type", "is not sorted"),
        ("content-type;host", "content-type", "host is not signed"),
        ("x-amz-date;", "", "x-amz-date is not signed"),
        ("x-amz-security-token,", "x-amz-security-token;x-none,", "x-none is signed and did not come"),
    ] {
        let Fault::Header(fault) = replaced(from, to) else { panic!("{from}") };
        assert!(fault.contains(said), "{fault}");
    }
    let more = |name: &str, value: &str| changed(|lines| lines.push((name.to_owned(), value.to_owned())));
    for name in ["host", "content-type", "x-amz-date", "authorization", "x-amz-security-token"] {
        assert_eq!(more(name, "x"), Fault::Header(format!("{name} came twice")));
    }
    assert_eq!(more("x-amz-target", "x"), Fault::Header("x-amz-target is not signed".to_owned()));
    // Another host than the one that was signed: the canonical text tells the one that came.
    let Fault::Signature { canonical, .. } = replaced("bedrock-runtime.us-east-1", "localhost") else {
        panic!()
    };
    assert!(canonical.contains("\nhost:localhost.amazonaws.com\n"), "{canonical}");
}

#[test]
fn a_query_is_signed_in_its_order_and_encoding() {
    let request = |target: &'static str| Arrived { method: "GET", target, headers: &[], body: b"" };
    let query = |target| request(target).canonical("/", &[], "").lines().nth(2).unwrap().to_owned();
    assert_eq!(query("/?b=2&a=x%20y&a=:&flag"), "a=%3A&a=x%20y&b=2&flag=");
    assert_eq!(query("/"), "");
    assert_eq!(normal("/a//b/./../c/"), "/a/c/");
}
