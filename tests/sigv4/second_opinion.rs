//! botocore signs the same requests: the same signature, or a refusal of ours.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bouncer::credential::SigningError;
use serde_json::{Value, json};

use crate::requests::{Random, Signing};
use crate::signing::{keys, signer, unix};

const SEED: u64 = 20_260_101;
const REQUESTS: usize = 4_000;
const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIME: &str = "2026-02-28T23:59:58Z";

#[test]
fn botocore_makes_the_same_signature_of_every_request_that_is_signed() {
    let mut random = Random::new(SEED);
    let requests: Vec<_> = (0..REQUESTS).map(|_| random.signing()).collect();
    let theirs = botocore(&requests);
    assert_eq!(theirs.len(), REQUESTS);
    let (mut same, mut refused) = (0, BTreeMap::<String, usize>::new());
    for (signing, theirs) in requests.iter().zip(theirs) {
        let signer = signer(keys(ID, SECRET, signing.token.as_deref()), signing.region, signing.service);
        match signing.request.signed_by(&signer, unix(TIME)) {
            Ok(ours) => {
                assert_eq!(ours.authorization, theirs, "{signing:?}");
                assert_eq!(ours.date, "20260228T235958Z");
                assert_eq!(ours.token, signing.token);
                same += 1;
            }
            Err(why) => {
                assert!(!signing.proper, "{why}: {signing:?}");
                *refused.entry(why.to_string()).or_default() += 1;
            }
        }
    }
    assert!(same >= 3_000, "{same} are the same, {refused:?}");
    for why in [SigningError::Presigned, SigningError::Query, SigningError::Canonical] {
        assert!(refused.contains_key(&why.to_string()), "{refused:?}");
    }
}

/// `authorization` of each request, by one process.
fn botocore(requests: &[Signing]) -> Vec<String> {
    let asked: Vec<Value> = requests.iter().map(question).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/second_opinion.py");
    let mut child =
        Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It reads all of it before it writes.
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&asked).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "botocore did not sign");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn question(Signing { request, region, service, token, .. }: &Signing) -> Value {
    json!({
        "access_key": ID,
        "secret_key": SECRET,
        "token": token,
        "region": region,
        "service": service,
        "time": TIME,
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "content_type": request.content_type,
        "body": STANDARD.encode(&request.body),
    })
}

#[allow(clippy::disallowed_methods, reason = "where the tools are, the environment says")]
fn python() -> PathBuf {
    let tools = std::env::var_os("BOUNCER_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    let python = tools.join("aws/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/tools.sh aws", python.display());
    python
}
