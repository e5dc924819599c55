//! What a line that differs means, and what to change: a closed table.
//!
//! AWS writes its texts from the request that it received, so its line says what left Envoy, and ours what bouncer signed.

use super::told::Told;
use crate::credential::ShownRequest;

type Cause = (String, &'static str);

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(super) fn method() -> Cause {
    (
        "the method was changed on the way".to_owned(),
        "the route, or the filter behind bouncer, that changes it; or bouncer's filter: put it behind that one",
    )
}

pub(super) fn path(ours: &str, theirs: &str) -> Cause {
    let (sent, received) = (decoded(ours), decoded(theirs));
    let told = |means: &str| format!("{means}; AWS received {received}");
    if decoded(&received) == sent {
        return (
            told("the path was percent-encoded once more on the way"),
            "the route or filter that encodes the path again (regex_rewrite, Lua, a second proxy); the path has to leave as it came",
        );
    }
    if sent.replace("%2F", "/").replace("%2f", "/") == received.replace("%2F", "/").replace("%2f", "/") {
        return (
            told("%2F in the path was decoded on the way"),
            "path_with_escaped_slashes_action of Envoy's HttpConnectionManager: KEEP_UNCHANGED; an ARN has to stay one segment",
        );
    }
    if decoded(&sent) == received {
        return (
            told("escapes in the path were decoded on the way, or the client spelled them out"),
            "the route or filter that decodes the path; or the path given here: : and %3A are two different paths",
        );
    }
    if sent.eq_ignore_ascii_case(&received) {
        return (
            told("the same escapes or letters stand there in another case"),
            "what normalizes the path on the way (normalize_path, a second proxy), or the path given here",
        );
    }
    if sent.trim_end_matches('/') == received.trim_end_matches('/') {
        return (
            told("the slash at the end of the path was taken off or added on the way"),
            "the route or filter that does so; or the path given here",
        );
    }
    (
        told("the path was rewritten after it was signed"),
        "the route's prefix_rewrite, regex_rewrite or path_rewrite_policy: bouncer has to see the path that leaves, as upstream filter, or the route must not rewrite",
    )
}

pub(super) fn query(ours: &str, theirs: &str) -> Cause {
    let sorted = |query: &str| {
        let mut pairs: Vec<String> = query.split('&').map(str::to_owned).collect();
        pairs.sort();
        pairs
    };
    if sorted(ours) == sorted(theirs) {
        let means = "the same parameters stand in another order".to_owned();
        return (means, "nothing in Envoy: please report it, bouncer and AWS sort differently");
    }
    if ours.replace("%20", "%2B") == theirs.replace("%20", "%2B") {
        let means = "+ in the query was read in two ways, as a plus and as a blank".to_owned();
        return (means, "the client's query: %2B for a plus, %20 for a blank");
    }
    (
        "the query was changed on the way".to_owned(),
        "the route or filter that changes the query, or bouncer's filter: put it behind that one",
    )
}

pub(super) fn header(name: &str, ours: &str, theirs: &str) -> Cause {
    match name {
        "host" if theirs.split(':').next() == ours.split(':').next() => (
            "Envoy sends the host with another port than was signed".to_owned(),
            "aws.host of the entry: write it as Envoy sends it, with or without the port",
        ),
        "host" => (
            format!("Envoy sends the request to {theirs} as its host, and another one was signed"),
            "auto_host_rewrite or host_rewrite_literal of the route, to the host of AWS; or aws.host of the entry, to the host that Envoy sends",
        ),
        "x-amz-date" => time(),
        "content-type" => (
            "content-type was changed on the way".to_owned(),
            "the filter behind bouncer that changes content-type, or bouncer's filter: put it behind that one",
        ),
        _ => (
            format!("{name} was changed on the way"),
            "the filter behind bouncer that changes this header, or bouncer's filter: put it behind that one",
        ),
    }
}

pub(super) fn signed_headers(ours: &str, theirs: &str) -> Cause {
    let names = |list: &str| list.split(';').map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (names(ours), names(theirs));
    let more: Vec<_> = theirs.iter().filter(|name| !ours.contains(name)).map(String::as_str).collect();
    let less: Vec<_> = ours.iter().filter(|name| !theirs.contains(name)).map(String::as_str).collect();
    match (more.as_slice(), less.as_slice()) {
        (["content-type"], []) | ([], ["content-type"]) => (
            "content-type was there on one side only".to_owned(),
            "the request given here: its headers as the client sends them",
        ),
        ([], ["x-amz-security-token"]) => (
            "it was signed without a session token".to_owned(),
            "the request given here, where the keys are static ones: leave x-amz-security-token out; else the secret: session_token is missing",
        ),
        ([], []) => ("a name stands there twice, or in another order".to_owned(), another_signer().1),
        _ => another_signer(),
    }
}

pub(super) fn payload(ours: &str, theirs: &str) -> Cause {
    if theirs == EMPTY {
        return (
            "AWS received no body".to_owned(),
            "what drops the body on the way: a filter behind bouncer, or a method or redirect that goes without one",
        );
    }
    if ours == EMPTY {
        return (
            "AWS received a body, and the request given here has none".to_owned(),
            "the request given here: body, body_base64 or body_sha256 of what the client sends",
        );
    }
    if theirs == "UNSIGNED-PAYLOAD" || theirs.starts_with("STREAMING-") {
        return another_signer();
    }
    (
        "AWS received another body than the one that is hashed here".to_owned(),
        "the filter behind bouncer that changes the body (transcoder, Lua, Wasm, another ext_proc): put bouncer's behind it; or the body given here: each byte counts, a line end too",
    )
}

pub(super) fn time() -> Cause {
    (
        "it was signed at another time than is asked about here".to_owned(),
        "--time: leave it out, and the time of the answer is taken; where it is right, an older signature was sent again (a retry): use bouncer as upstream filter",
    )
}

pub(super) fn scope(ours: &str, theirs: &str) -> Cause {
    let parts = |scope: &str| {
        let mut parts = scope.split('/').map(str::to_owned);
        [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default)
    };
    let ([day, region, service], [their_day, their_region, their_service]) = (parts(ours), parts(theirs));
    if region != their_region {
        let means = format!("it was signed for region {their_region}, and here for {region}");
        return (means, "aws.region of the entry, or --region here: the region of the host");
    }
    if service != their_service {
        let means = format!("it was signed for service {their_service}, and here for {service}");
        return (means, "aws.service of the entry, or --service here");
    }
    if day != their_day {
        return time();
    }
    another_signer()
}

/// The hash alone; `theirs` is AWS's canonical request, where it is there.
pub(super) fn hash(theirs: Option<&ShownRequest>) -> Cause {
    match theirs {
        Some(_) => (
            "the lines are the same and their hash is not: the answer was changed before it came here (blanks, quotes)".to_owned(),
            "the answer given here: the body as AWS sent it",
        ),
        None => (
            "AWS received another request, and its answer does not say which line it is".to_owned(),
            "the request given here: compare path, host and body with what Envoy sends (its access log has them)",
        ),
    }
}

pub(super) fn another_signer() -> Cause {
    (
        "somebody else signed that request: bouncer signs content-type, host, x-amz-date and x-amz-security-token at most".to_owned(),
        "the route: bouncer's filter did not run there, and the caller's own signature reached AWS; or a second signer behind bouncer",
    )
}

/// What AWS tells besides its texts.
pub(super) fn told(told: &Told) -> Cause {
    match told {
        Told::Clock { ahead: Some(ahead), sent, theirs } => {
            let (minutes, way) = (ahead.unsigned_abs() / 60, if *ahead > 0 { "old" } else { "early" });
            let theirs = theirs.as_deref().unwrap_or_default();
            (
                format!(
                    "the signature of {sent} was {minutes} minutes too {way} for AWS, whose clock said {theirs}"
                ),
                "the clock of bouncer's machine (NTP); where it is right, the request waited or was sent again: use bouncer as upstream filter, which signs each attempt",
            )
        }
        Told::Clock { .. } => (
            "the time in the signature is too far from AWS's clock".to_owned(),
            "the clock of bouncer's machine (NTP), or what holds requests up between bouncer and AWS",
        ),
        Told::Region(wanted) => (
            match wanted {
                Some(region) => format!("the host is in another region than was signed; AWS wants {region}"),
                None => "the host is in another region than was signed".to_owned(),
            },
            "aws.region of the entry: the region of the host; or the cluster that Envoy sends to",
        ),
        Told::Service(wanted) => (
            match wanted {
                Some(service) => format!("another service was signed; AWS wants {service}"),
                None => "another service was signed".to_owned(),
            },
            "aws.service of the entry: the one that AWS names; without it the host decides",
        ),
        Told::Day => (
            "the day in the scope and x-amz-date differ: x-amz-date was changed on the way".to_owned(),
            "what writes x-amz-date behind bouncer",
        ),
        Told::Expired => (
            "the session token has ended; the signature was not looked at".to_owned(),
            "nothing where feedback is on: bouncer renews the keys; static keys with a session_token have to be replaced",
        ),
        Told::Unknown => (
            "AWS does not know these keys; the signature was not looked at".to_owned(),
            "the secret: access_key_id was deleted or disabled, belongs to another partition, or its session_token is missing or another's",
        ),
        Told::AccessDenied { action } => (
            match action {
                Some(action) => format!("the signature is right, and IAM does not allow {action}"),
                None => "the signature is right, and IAM does not allow the call".to_owned(),
            },
            "the policy of the role or user (identity, boundary, SCP, session), or access to the model in Bedrock's console",
        ),
        Told::Incomplete => (
            "no signature, or only a part of one, reached AWS".to_owned(),
            "the route: bouncer's filter did not run there, or a filter behind it removes authorization or x-amz-date",
        ),
    }
}

/// Without one level of escapes. What is not text afterwards stays escaped.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                out.extend(u8::try_from(high * 16 + low));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => crate::base::printable(&text, 16 * 1024),
        Err(_) => text.to_owned(),
    }
}
