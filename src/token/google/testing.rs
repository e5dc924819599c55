//! What the other ends of the exchanges would check, written once more by the published algorithms.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use url::Url;

use crate::credential::AwsKeys;

/// Undoes percent-encoding.
pub(super) fn unquoted(text: &str) -> String {
    assert!(!text.contains('+'), "a space is %20");
    url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned()
}

/// The `authorization` that AWS would compute for the request in a subject token
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
pub(super) fn aws_signature(request: &serde_json::Value, keys: &AwsKeys, region: &str) -> String {
    let url = Url::parse(request["url"].as_str().unwrap()).unwrap();
    let mut headers: Vec<(String, String)> = request["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| {
            (header["key"].as_str().unwrap().to_lowercase(), header["value"].as_str().unwrap().to_owned())
        })
        .filter(|(name, _)| name != "authorization")
        .collect();
    headers.sort();
    let date = &headers.iter().find(|(name, _)| name == "x-amz-date").unwrap().1;
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let sha256 = |data: &[u8]| hex(digest::digest(&digest::SHA256, data).as_ref());
    let method = request["method"].as_str().unwrap();
    let canonical = format!(
        "{method}\n{}\n{}\n{lines}\n{names}\n{}",
        url.path(),
        url.query().unwrap_or_default(),
        sha256(b"")
    );
    let scope = format!("{}/{region}/sts/aws4_request", &date[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{}", keys.secret_access_key.expose()).into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    let (id, signature) = (&keys.access_key_id, hex(&key));
    format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
