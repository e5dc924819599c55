//! The official suite of version 4, as it lies in the crate `aws-sigv4`.
//!
//! It holds requests of every kind of client. Of the header lines we sign those only that leave as they are, so the lines of
//! others are taken out of the suite's canonical requests; paths that have to be normalized are refused. What is left has to
//! be what [`signature`] makes of it, and [`signature`] itself has to reproduce every signature of the suite.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, hmac};
use bouncer::credential::SigningError;
use serde_json::Value;

use crate::signing::{Request, keys, signer, sources_of, unix};

const REGION: &str = "us-east-1";
const SERVICE: &str = "service";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Lines that we sign.
const OURS: [&str; 4] = ["content-type", "host", "x-amz-date", "x-amz-security-token"];

/// Requests whose path or query is not sent by anyone whom we let through.
const REFUSED: [(&str, SigningError); 15] = [
    ("get-relative-normalized", SigningError::Canonical),
    ("get-relative-relative-normalized", SigningError::Canonical),
    ("get-relative-relative-unnormalized", SigningError::Canonical),
    ("get-relative-unnormalized", SigningError::Canonical),
    ("get-slash-dot-slash-normalized", SigningError::Canonical),
    ("get-slash-dot-slash-unnormalized", SigningError::Canonical),
    ("get-slash-normalized", SigningError::Canonical),
    ("get-slash-pointless-dot-normalized", SigningError::Canonical),
    ("get-slash-pointless-dot-unnormalized", SigningError::Canonical),
    ("get-slash-unnormalized", SigningError::Canonical),
    ("get-slashes-normalized", SigningError::Canonical),
    ("get-slashes-unnormalized", SigningError::Canonical),
    ("get-space-unnormalized", SigningError::Canonical),
    ("get-utf8", SigningError::Canonical),
    ("get-vanilla-utf8-query", SigningError::Query),
];

struct Case {
    name: String,
    folder: PathBuf,
    context: Option<Value>,
}

#[test]
fn every_case_of_the_official_suite_is_signed_as_it_says_or_refused() {
    let cases = cases();
    assert_eq!(cases.len(), 40);
    let mut to_the_letter = 0;
    for case in &cases {
        let canonical = case.read("header-canonical-request.txt");
        if let Some(expected) = case.expected() {
            assert_eq!(signature(&canonical, case.scope()), expected, "{}: the reference", case.name);
        }
        let token = case.context.as_ref().and_then(|context| context["credentials"]["token"].as_str());
        let scope = case.scope();
        let signer = signer(keys("AKIDEXAMPLE", SECRET, token), scope.0, scope.1);
        let at = unix(&instant(&canonical));
        let result = case.request().signed_by(&signer, at);
        if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == case.name) {
            assert_eq!(result, Err(*why), "{}", case.name);
            continue;
        }
        let authorization = result.unwrap_or_else(|why| panic!("{}: {why}", case.name)).authorization;
        let (_, made) = authorization.split_once(", Signature=").unwrap();
        let ours = ours(&case.name, &canonical, token);
        assert_eq!(made, signature(&ours, scope), "{}\n{ours}", case.name);
        to_the_letter += usize::from(case.expected().is_some_and(|expected| expected == made));
    }
    assert_eq!(to_the_letter, 13, "cases that ask for no line of others and no other encoding");
}

impl Case {
    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap().replace("\r\n", "\n")
    }

    /// Region and service; of the two cases that say none, those of their hosts.
    fn scope(&self) -> (&'static str, &'static str) {
        match self.name.as_str() {
            "double-encode-path" => (REGION, "execute-api"),
            "double-url-encode" => ("us-east-2", "lambda"),
            _ => (REGION, SERVICE),
        }
    }

    fn expected(&self) -> Option<String> {
        self.context.as_ref().map(|_| self.read("header-signature.txt").trim().to_owned())
    }

    fn request(&self) -> Request {
        let text = self.read("request.txt");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        let (method, rest) = first.split_once(' ').unwrap();
        let path = rest.strip_suffix(" HTTP/1.1").unwrap();
        let value = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        Request {
            method: method.to_owned(),
            host: value("Host").unwrap(),
            path: path.to_owned(),
            content_type: value("Content-Type"),
            body: body.as_bytes().to_vec(),
        }
    }
}

fn cases() -> Vec<Case> {
    let suite: PathBuf = sources_of("aws-sigv4").join("aws-signing-test-suite/v4");
    let case = |folder: &Path| Case {
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        folder: folder.to_owned(),
        context: fs::read(folder.join("context.json")).ok().map(|text| {
            let context: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!((&context["region"], &context["service"]), (&REGION.into(), &SERVICE.into()));
            assert_eq!(context["credentials"]["secret_access_key"], SECRET);
            context
        }),
    };
    fs::read_dir(suite).unwrap().map(|entry| case(&entry.unwrap().path())).collect()
}

/// `x-amz-date` of a canonical request, as `unix` reads it.
fn instant(canonical: &str) -> String {
    let date = canonical.lines().find_map(|line| line.strip_prefix("x-amz-date:")).unwrap();
    let (day, time) = date.split_once('T').unwrap();
    format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..6])
}

/// The canonical request of the suite as we write it.
fn ours(name: &str, canonical: &str, token: Option<&str>) -> String {
    let lines: Vec<&str> = canonical.split('\n').collect();
    let [method, path, query] = lines[..3] else { panic!("{canonical}") };
    let end = lines.iter().rposition(|line| line.is_empty()).unwrap();
    let is_ours = |line: &&&str| OURS.contains(&line.split_once(':').unwrap().0);
    let mut headers: Vec<String> =
        lines[3..end].iter().filter(is_ours).map(|line| (*line).to_owned()).collect();
    // The token of the keys is always signed; `post-sts-header-after` would add it later.
    if let Some(token) = token.filter(|_| !canonical.contains("x-amz-security-token:")) {
        headers.push(format!("x-amz-security-token:{token}"));
    }
    let names: Vec<_> = headers.iter().map(|line| line.split_once(':').unwrap().0).collect();
    // The suite takes `%20` on the wire for a blank that is encoded once. For all services but S3 it is encoded twice.
    let path = if name == "get-space-normalized" { path.replace("%20", "%2520") } else { path.to_owned() };
    [method, &path, query, &headers.join("\n"), "", &names.join(";"), lines[lines.len() - 1]].join("\n")
}

/// The signature of a canonical request, as AWS describes it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
fn signature(canonical: &str, (region, service): (&str, &str)) -> String {
    let date = canonical.lines().find_map(|line| line.strip_prefix("x-amz-date:")).unwrap();
    let day = &date[..8];
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}");
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
