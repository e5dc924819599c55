//! `cargo bench --bench sigv4`: what a signature costs beside that of `aws-sigv4` itself, the hash of the body included. See
//! benches/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a benchmark reads the clock and ends where its surroundings are missing"
)]

use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningInstructions, SigningSettings as Settings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bouncer::base::{Clock, Now, Secret, SystemClock, UnixTime};
use bouncer::credential::{AwsKeys, BEDROCK_RUNTIME, ClockSkews, Signer, SigningSettings};
use bouncer::request::{Body, EnvoyFacts, Half, RequestView, SetHeader};
use clap::Parser;
use smallvec::SmallVec;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 41;
const SIGNATURES: u32 = 2_000;
/// Of the body, as the limit is said for it.
const BYTES: usize = 4 * 1024;
/// Of a session token as STS makes them.
const TOKEN_BYTES: usize = 800;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";
const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const PATH: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const JSON: &str = "application/json";
/// 2026-01-01T00:00:00Z.
const TIME: u64 = 1_767_225_600;

/// A signature of AWS, and what it costs beside that of aws-sigv4 itself.
#[derive(Parser)]
struct Options {
    /// Exit with 1 when it costs more than this times the crate's own
    #[arg(long, value_name = "RATIO")]
    max_ratio: Option<f64>,
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts the program too, and wants no figures.
        return ExitCode::SUCCESS;
    }
    let body = vec![b'x'; BYTES];
    let (ours, theirs) = (Ours::new(), Theirs::new());
    let view = ours.view(&body);
    let lines = ours.sign(&view);
    let made = lines.iter().find(|line| line.name == "authorization").expect("it is there");
    let other = theirs.sign(&body);
    let (_, other) = other.headers().find(|(name, _)| *name == "authorization").expect("it is there");
    assert_eq!(made.value.wire(), other.as_bytes(), "the two sign alike");
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|round| {
            // In turn, and each one first in every other round, so that what else the machine does weighs on both.
            if round % 2 == 0 {
                let ours = timed(|| ours.sign(&view));
                (ours, timed(|| theirs.sign(&body)))
            } else {
                let theirs = timed(|| theirs.sign(&body));
                (timed(|| ours.sign(&view)), theirs)
            }
        })
        .map(|(ours, theirs)| (ours / theirs, ours, theirs))
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, ours, theirs) = rounds.get(ROUNDS / 2).copied().expect("there are rounds");
    say(format_args!(
        "a signature of {BYTES} bytes: {ours:.2} µs, {theirs:.2} µs by aws-sigv4 itself, ratio {ratio:.2} (median of {ROUNDS} rounds)"
    ));
    if options.max_ratio.is_some_and(|most| ratio > most) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// As a request is signed in the server.
struct Ours {
    signer: Signer,
    clocks: ClockSkews,
    now: Now,
}

/// As the crate's documentation says it, with keys that are made ready before.
struct Theirs {
    identity: Identity,
}

impl Ours {
    fn new() -> Self {
        let keys = AwsKeys {
            access_key_id: ID.to_owned(),
            secret_access_key: Secret::new(SECRET.to_owned()),
            session_token: Some(Secret::new("t".repeat(TOKEN_BYTES))),
        };
        let settings =
            SigningSettings { endpoint_prefix: Some(BEDROCK_RUNTIME), ..SigningSettings::default() };
        let signer = Signer::new(keys, None, Arc::new(settings));
        let now = Now { unix: UnixTime(TIME), ..SystemClock.now() };
        Self { signer, clocks: ClockSkews::default(), now }
    }

    /// What the server has read when it comes to sign.
    fn view<'a>(&self, body: &'a [u8]) -> RequestView<'a> {
        let envoy = EnvoyFacts { upstream: true, ..EnvoyFacts::default() };
        RequestView {
            method: "POST",
            authority: HOST,
            raw_path: PATH,
            headers: [("content-type", JSON.as_bytes())].into_iter().collect(),
            envoy,
            half: Half::Whole,
            body: Body::Whole(body),
        }
    }

    fn sign(&self, view: &RequestView<'_>) -> SmallVec<[SetHeader; 1]> {
        self.signer.sign(view, self.now, &self.clocks).expect("a signature").0
    }
}

impl Theirs {
    fn new() -> Self {
        let token = Some("t".repeat(TOKEN_BYTES));
        Self { identity: Credentials::new(ID, SECRET, token, None, "bench").into() }
    }

    fn sign(&self, body: &[u8]) -> SigningInstructions {
        let headers = [("host", HOST), ("content-type", JSON)].into_iter();
        let request =
            SignableRequest::new("POST", PATH, headers, SignableBody::Bytes(body)).expect("a request");
        let params = SigningParams::builder()
            .identity(&self.identity)
            .region(REGION)
            .name("bedrock")
            .time(UNIX_EPOCH + Duration::from_secs(TIME))
            .settings(Settings::default())
            .build()
            .expect("all is said")
            .into();
        sign(request, &params).expect("a signature").into_parts().0
    }
}

/// Microseconds of one signature.
fn timed<T>(mut sign: impl FnMut() -> T) -> f64 {
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        black_box(sign());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(SIGNATURES)
}

fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
