//! An STS that knows whose keys it gave out, and checks each signature by the published algorithm, written once more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_lc_rs::{digest, hmac};

use crate::base::{ManualClock, Secret, UnixTime};
use crate::credential::{AwsKeys, SigningSettings};
use crate::token::stub::{self, Reply, Seen, Stub};
use crate::token::{AwsSettings, Outward, Role};

pub(super) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(super) const REGION: &str = "eu-west-1";
pub(super) const ROLE_A: &str = "arn:aws:iam::111111111111:role/a";
pub(super) const ROLE_B: &str = "arn:aws:iam::222222222222:role/b";
pub(super) const ROLE_C: &str = "arn:aws:iam::333333333333:role/c";
pub(super) const USER_ID: &str = "AKIDEXAMPLE";
pub(super) const USER_KEY: &str = "wJalrXUtnFEMI/K7MDENG+canary-user";
pub(super) const USER: [(&str, &str); 2] = [("access_key_id", USER_ID), ("secret_access_key", USER_KEY)];

/// The STS.
#[derive(Clone)]
pub(super) struct FakeSts {
    pub(super) stub: Stub,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Secret key and session token of each key ID.
    known: BTreeMap<String, (String, Option<String>)>,
    /// What requests for a role are refused with.
    refused: BTreeMap<&'static str, (u16, &'static str)>,
    /// What the role's trust policy asks for.
    external_ids: BTreeMap<&'static str, &'static str>,
    /// How long the sessions of a role last, in seconds.
    lives: BTreeMap<&'static str, u64>,
    /// What its clock shows.
    now: u64,
    given: usize,
}

impl FakeSts {
    pub(super) async fn start() -> Self {
        let known = [(USER_ID.to_owned(), (USER_KEY.to_owned(), None))];
        let state = State { known: known.into(), now: NOW.0, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        let stub = Stub::start(move |seen| own.lock().unwrap().answer(seen)).await;
        Self { stub, state }
    }

    /// From now on it refuses whoever asks for `role`.
    pub(super) fn refuses(&self, role: &'static str, status: u16, code: &'static str) {
        self.state.lock().unwrap().refused.insert(role, (status, code));
    }

    pub(super) fn wants(&self, role: &'static str, external_id: &'static str) {
        self.state.lock().unwrap().external_ids.insert(role, external_id);
    }

    pub(super) fn lasts(&self, role: &'static str, seconds: u64) {
        self.state.lock().unwrap().lives.insert(role, seconds);
    }

    pub(super) fn is_at(&self, now: u64) {
        self.state.lock().unwrap().now = now;
    }

    /// It does not know the keys of anybody any more whom it gave some.
    pub(super) fn forgets_sessions(&self) {
        self.state.lock().unwrap().known.retain(|id, _| id == USER_ID);
    }

    /// The entry `bedrock-prod` with these roles.
    pub(super) fn settings(&self, roles: &[Role]) -> AwsSettings {
        AwsSettings {
            name: "bedrock-prod".to_owned(),
            signing: SigningSettings { region: Some(REGION.to_owned()), ..SigningSettings::default() },
            sts_endpoint: Some(self.stub.url.clone()),
            roles: roles.to_vec(),
            web_identity: None,
        }
    }

    /// Which role each request so far was for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.stub.seen().iter().map(|seen| seen.field("RoleArn").unwrap()).collect()
    }
}

impl State {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let form: BTreeMap<_, _> = seen.pairs().into_iter().collect();
        let role = form["RoleArn"].as_str();
        if seen.header("accept") != Some("application/xml, text/xml") {
            return refusal(400, "InvalidAction", self.now);
        }
        if let Some(authorization) = seen.header("authorization") {
            let id = authorization.split(['=', '/']).nth(1).unwrap();
            let Some((key, token)) = self.known.get(id) else {
                return refusal(403, "InvalidClientTokenId", self.now);
            };
            let date = seen.header("x-amz-date").unwrap();
            if seen.header("x-amz-security-token") != token.as_deref()
                || authorization != signature(seen, id, key)
            {
                return refusal(403, "SignatureDoesNotMatch", self.now);
            }
            if seconds(date).abs_diff(self.now) > 300 {
                return refusal(403, "SignatureDoesNotMatch", self.now);
            }
        } else if form["Action"] != "AssumeRoleWithWebIdentity" {
            return refusal(403, "MissingAuthenticationToken", self.now);
        }
        if let Some((status, code)) = self.refused.get(role) {
            return refusal(*status, code, self.now);
        }
        if self.external_ids.get(role).copied() != form.get("ExternalId").map(String::as_str) {
            return refusal(403, "AccessDenied", self.now);
        }
        self.given += 1;
        let (given, action) = (self.given, form["Action"].as_str());
        let keys = (format!("canary-secret-{given}"), Some(format!("canary-session-{given}")));
        let lives = self.lives.get(role).copied();
        let lives = lives.unwrap_or_else(|| form["DurationSeconds"].parse().unwrap());
        let body = answer(action, &format!("ASIA{given}"), &keys.0, UnixTime(self.now + lives));
        self.known.insert(format!("ASIA{given}"), keys);
        Reply::Text(200, vec![xml()], body)
    }
}

/// An answer in full; its session token is numbered as its key is.
pub(super) fn answer(action: &str, id: &str, secret: &str, end: UnixTime) -> String {
    let token = secret.replace("secret", "session");
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <{action}Result>\n    <AssumedRoleUser>\
         <AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/a/x</Arn></AssumedRoleUser>\n    <Credentials>\n      \
         <AccessKeyId>{id}</AccessKeyId>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n      \
         <SessionToken>{token}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n  </{action}Result>\n  \
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>\n</{action}Response>",
        end.rfc3339()
    )
}

fn refusal(status: u16, code: &str, now: u64) -> Reply {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>canary-message</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(now);
    Reply::Text(status, vec![xml(), ("date".to_owned(), httpdate::fmt_http_date(date))], body)
}

fn xml() -> (String, String) {
    ("content-type".to_owned(), "text/xml".to_owned())
}

/// The `authorization` of the request that `id` and `key` sign
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
fn signature(seen: &Seen, id: &str, key: &str) -> String {
    let authorization = seen.header("authorization").unwrap();
    let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    for needed in ["host", "x-amz-date"] {
        assert!(names.split(';').any(|name| name == needed), "{names}");
    }
    let token = names.split(';').any(|name| name == "x-amz-security-token");
    assert_eq!(token, seen.header("x-amz-security-token").is_some(), "{names}");
    let lines: String =
        names.split(';').map(|name| format!("{name}:{}\n", seen.header(name).unwrap())).collect();
    let sha256 = |data: &[u8]| hex(digest::digest(&digest::SHA256, data).as_ref());
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(seen.body.as_bytes()));
    let date = seen.header("x-amz-date").unwrap();
    let scope = format!("{}/{REGION}/sts/aws4_request", &date[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut chained = format!("AWS4{key}").into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        chained = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &chained), part.as_bytes()).as_ref().to_vec();
    }
    format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={}", hex(&chained))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `20270115T080000Z` in seconds since 1970.
fn seconds(date: &str) -> u64 {
    let part = |range: std::ops::Range<usize>| &date[range];
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    );
    crate::token::expires_at::parse(&written).unwrap().0
}

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

pub(super) fn outward(clock: &Arc<ManualClock>) -> Outward {
    stub::outward(Arc::clone(clock) as _)
}

pub(super) fn role(arn: &str) -> Role {
    Role { arn: arn.to_owned(), ..Role::default() }
}

pub(super) fn keys(id: &str, key: &str, token: Option<&str>) -> AwsKeys {
    AwsKeys {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(key.to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
    }
}
