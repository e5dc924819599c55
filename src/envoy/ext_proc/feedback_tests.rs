//! What a stream makes of the provider's answer, with a token that is really renewed and a clock that stands still.

#[path = "feedback_aws_tests.rs"]
mod aws;

use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message as _;

use super::*;
use crate::base::{Clock as _, Expiry, FingerprintKey, Secret};
use crate::cache::testing::PausedClock;
use crate::cache::{Entry, Exchange, Handle, Held, Observer, Obtained, Obtaining, Policy, Refresher, Source};
use crate::config::{Limits, OnNoProvider};
use crate::credential::{Bearer, Credential};
use crate::envoy::labels;
use crate::envoy::wire::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_response::Response;
use crate::identity::{Callers, CallersSettings};
use crate::outbound::{Http, spawn_key_sets};
use crate::pipeline::Snapshot;
use crate::provider::{AuthType, Catalog, Match, ProviderKind};
use crate::telemetry::Metrics;
use crate::token::{SourceError, Store};

/// Brings another token each time.
struct Tokens {
    clock: Arc<PausedClock>,
    key: FingerprintKey,
    asked: AtomicUsize,
}

struct Silent;

/// One provider with one token in use.
struct Bench {
    tokens: Arc<Tokens>,
    current: Current,
    generation: Arc<Generation>,
}

impl Tokens {
    fn credential(&self, number: usize) -> (Credential, Fingerprint) {
        let token = Secret::new(format!("token-{number}"));
        let bearer = Bearer { token: &token, user_project: None, beta: None };
        (bearer.credential().unwrap(), self.key.of(token.expose().as_bytes()))
    }
}

impl Source<Credential, SourceError> for Tokens {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        Box::pin(async move {
            let (value, id) = self.credential(self.asked.fetch_add(1, Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(20)).await;
            let expiry = Expiry::after(self.clock.now(), Duration::from_hours(1));
            Ok(Obtained { value, id, expiry: Some(expiry), refresh_in: None, provenance: None })
        })
    }
}

impl Observer<Credential, SourceError> for Silent {
    fn renewed(&self, _: &Exchange<'_, Credential>, _: &Held<Credential>) {}
    fn failed(&self, _: &Exchange<'_, Credential>, _: &SourceError, _: u32, _: Duration) {}
}

impl Bench {
    async fn new(kind: ProviderKind, auth: AuthType, feedback: Feedback) -> Self {
        let clock = PausedClock::new();
        let key = FingerprintKey::random().unwrap();
        let tokens = Arc::new(Tokens { clock: Arc::clone(&clock), key, asked: AtomicUsize::new(0) });
        let slot = if auth == AuthType::ApiKey {
            let handle = Arc::<Handle<Credential>>::default();
            let (value, id) = tokens.credential(0);
            handle.put(Held::new(value, id, None));
            Slot::Fixed(handle)
        } else {
            let source = Arc::<Tokens>::clone(&tokens);
            let refresher = Refresher::start(Arc::<PausedClock>::clone(&clock));
            let entry = Entry::new(source, Policy::default(), "idp", Arc::new(Silent), &refresher);
            entry.renewed().await.unwrap();
            Slot::Renewed(entry)
        };
        let provider = Provider { name: "llm".into(), kind, auth, mfa: None, matches: Match::default() };
        let callers = Arc::new(Callers::new(CallersSettings::default()));
        let snapshot = Snapshot {
            generation: 1,
            catalog: Catalog::new(vec![provider]).unwrap(),
            callers: Arc::clone(&callers),
            tokens: Store::new([slot], tokens.key.clone()),
            credential_headers: Vec::new(),
            feedback: Box::new([feedback]),
            clocks: Arc::default(),
            max_body: 16 << 20,
            on_no_provider: OnNoProvider::Deny,
        };
        let metrics = Arc::new(Metrics::new(labels()));
        let key_sets = spawn_key_sets(callers, Http::new().unwrap());
        let generation = Generation::new(snapshot, key_sets, &metrics);
        let current = Current::new(generation, clock, metrics, Limits::default());
        let generation = current.generation();
        Self { tokens, current, generation }
    }

    async fn answering(kind: ProviderKind, auth: AuthType) -> Self {
        Self::new(kind, auth, Feedback::Answer).await
    }

    fn slot(&self) -> &Slot {
        self.generation.snapshot.tokens.slot(0).unwrap()
    }

    /// A stream on which the credential in use was put.
    fn stream(&self) -> Watch {
        let id = self.slot().handle().held().unwrap().id;
        Watch::of(&self.generation, put_on(0, id), Some("request-1")).unwrap()
    }

    /// What becomes of this answer to it.
    fn answers(&self, stream: &Watch, status: &str, lines: &[(&str, &str)]) -> Verdict {
        stream.headers(&self.current, via_upstream(&map(status, lines)))
    }

    /// Status, code and `retry-after` of what the caller gets instead of a 401.
    #[track_caller]
    fn instead(&self, stream: &Watch) -> (u16, String, Option<String>) {
        match self.answers(stream, "401", &[]) {
            Verdict::Instead(reply) => told(reply),
            Verdict::Untouched | Verdict::ReadBody => panic!("untouched"),
        }
    }

    fn asked(&self) -> usize {
        self.tokens.asked.load(Ordering::SeqCst)
    }

    fn counted(&self, status: u16) -> bool {
        let line = format!(r#"bouncer_upstream_rejections_total{{provider="llm",status="{status}"}} "#);
        self.current.metrics().render().contains(&line)
    }
}

fn map(status: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let lines = [(":status", status)].into_iter().chain(lines.iter().copied());
    let headers = lines.map(|(name, value)| HeaderValue {
        key: name.to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    });
    HeaderMap { headers: headers.collect() }.encode_to_vec()
}

fn via_upstream(map: &[u8]) -> ResponseHeaders<'_> {
    let maker = Maker { code_details: Some("via_upstream"), tls_version: None };
    ResponseHeaders { map, end: false, maker }
}

fn put_on(provider: usize, credential: Fingerprint) -> PutOn {
    PutOn { provider, credential, signed: None }
}

fn message(reply: Frame) -> ProcessingResponse {
    ProcessingResponse::decode(reply.finish().split_off(5)).unwrap()
}

#[track_caller]
fn told(reply: Frame) -> (u16, String, Option<String>) {
    let reply = message(reply);
    let Some(Response::ImmediateResponse(no)) = &reply.response else { panic!("{reply:?}") };
    let header = |name: &str| {
        let lines = no.headers.iter().flat_map(|headers| &headers.set_headers);
        let mut lines = lines.filter_map(|line| line.header.as_ref()).filter(|line| line.key == name);
        lines.next().map(|line| String::from_utf8(line.raw_value.clone()).unwrap())
    };
    assert_eq!(header("x-request-id").as_deref(), Some("request-1"));
    assert_eq!(header("www-authenticate"), None);
    let code = no.details.strip_prefix("bouncer_").unwrap().to_owned();
    (u16::try_from(no.status.as_ref().unwrap().code).unwrap(), code, header("retry-after"))
}

/// Longer than an exchange takes.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn come_back() -> (u16, String, Option<String>) {
    (503, "credential_unavailable".to_owned(), Some("1".to_owned()))
}

fn of_no_use() -> (u16, String, Option<String>) {
    (502, "credential_rejected".to_owned(), None)
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_token_and_the_caller_is_told_to_come_back() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::Oidc).await;
    let (first, second) = (bench.stream(), bench.stream());
    assert_eq!(bench.instead(&first), come_back());
    assert_eq!(bench.instead(&second), come_back(), "it is on its way");
    settle().await;
    assert_eq!(bench.asked(), 2);
    assert_eq!(bench.instead(&bench.stream()), of_no_use(), "the next one is refused as well");
    assert!(bench.counted(401) && !bench.counted(403));
}

#[tokio::test(start_paused = true)]
async fn a_late_401_of_an_earlier_token_leaves_the_one_in_use() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::OAuth2).await;
    let late = bench.stream();
    let Slot::Renewed(entry) = bench.slot() else { panic!() };
    entry.renewed().await.unwrap();
    assert_eq!(bench.instead(&late), come_back());
    settle().await;
    assert_eq!(bench.asked(), 2);
    assert!(entry.with(bench.current.now(), |_| ()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_401_causes_one_renewal_in_half_a_minute() {
    let bench = Bench::answering(ProviderKind::Custom, AuthType::OAuth2).await;
    for _ in 0..290 {
        bench.instead(&bench.stream());
        settle().await;
    }
    assert_eq!(bench.asked(), 2);
    for _ in 0..20 {
        bench.instead(&bench.stream());
        settle().await;
    }
    assert_eq!(bench.asked(), 3, "the half minute is over");
}

#[tokio::test(start_paused = true)]
async fn who_only_observes_renews_the_token_and_the_caller_gets_the_providers_answer() {
    let bench = Bench::new(ProviderKind::AzureOpenAi, AuthType::AzureAd, Feedback::Observe).await;
    assert!(matches!(bench.answers(&bench.stream(), "401", &[]), Verdict::Untouched));
    settle().await;
    assert_eq!(bench.asked(), 2);
    assert!(bench.counted(401));
}

#[tokio::test(start_paused = true)]
async fn without_feedback_there_is_nothing_to_remember() {
    let bench = Bench::new(ProviderKind::OpenAi, AuthType::Oidc, Feedback::Off).await;
    let id = bench.slot().handle().held().unwrap().id;
    assert!(Watch::of(&bench.generation, put_on(0, id), None).is_none());
    assert!(Watch::of(&bench.generation, put_on(1, id), None).is_none());
}

#[tokio::test(start_paused = true)]
async fn p15_only_what_came_from_the_provider_counts() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::Oidc).await;
    for maker in [Some("lua_response"), Some("direct_response"), Some("ext_authz_denied"), Some(""), None] {
        let maker = Maker { code_details: maker, tls_version: None };
        let verdict = bench
            .stream()
            .headers(&bench.current, ResponseHeaders { maker, ..via_upstream(&map("401", &[])) });
        assert!(matches!(verdict, Verdict::Untouched), "{maker:?}");
    }
    settle().await;
    assert_eq!(bench.asked(), 1);
    assert!(!bench.counted(401));
}

#[tokio::test(start_paused = true)]
async fn any_other_status_and_what_cannot_be_read_is_left_alone() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::Oidc).await;
    let maps = [
        map("200", &[]),
        map("407", &[]),
        map("429", &[]),
        map("0401", &[]),
        map("401", &[(":status", "200")]),
        Vec::new(),
        b"\x0a\x7f".to_vec(),
    ];
    for map in maps {
        let verdict = bench.stream().headers(&bench.current, via_upstream(&map));
        assert!(matches!(verdict, Verdict::Untouched), "{map:?}");
    }
    settle().await;
    assert_eq!(bench.asked(), 1);
    assert!(!bench.counted(401));
}

#[tokio::test(start_paused = true)]
async fn a_403_passes_and_renews_nothing_but_a_revoked_token_of_anthropics() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::Oidc).await;
    assert!(matches!(bench.answers(&bench.stream(), "403", &[]), Verdict::Untouched));
    assert!(bench.counted(403));
    assert_eq!(bench.asked(), 1);

    let bench = Bench::answering(ProviderKind::Anthropic, AuthType::Oidc).await;
    let stream = bench.stream();
    let length = [("content-length", "99")];
    assert!(matches!(bench.answers(&stream, "403", &length), Verdict::ReadBody));
    stream.body(&bench.current, b"OAuth token does not meet scope requirement");
    settle().await;
    assert_eq!(bench.asked(), 1);
    stream.body(&bench.current, b"OAuth token has been revoked. Please obtain a new token.");
    settle().await;
    assert_eq!(bench.asked(), 2);
    // An answer to HEAD has a length and no body.
    let bodiless =
        stream.headers(&bench.current, ResponseHeaders { end: true, ..via_upstream(&map("403", &length)) });
    assert!(matches!(bodiless, Verdict::Untouched));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_renewed_by_nobody_but_the_one_that_took_its_place_is_worth_a_try() {
    let bench = Bench::answering(ProviderKind::OpenAi, AuthType::ApiKey).await;
    let stream = bench.stream();
    assert_eq!(bench.instead(&stream), of_no_use());
    let (value, id) = bench.tokens.credential(1);
    bench.slot().handle().put(Held::new(value, id, None));
    assert_eq!(bench.instead(&stream), come_back());
    assert!(bench.counted(401));
}

#[tokio::test(start_paused = true)]
async fn a_401_for_want_of_a_right_renews_nothing_and_stays_here_all_the_same() {
    let bench = Bench::answering(ProviderKind::Custom, AuthType::OAuth2).await;
    let lines = [("www-authenticate", r#"Bearer error="insufficient_scope""#)];
    let Verdict::Instead(reply) = bench.answers(&bench.stream(), "401", &lines) else { panic!() };
    assert_eq!(told(reply), of_no_use());
    settle().await;
    assert_eq!(bench.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_worded_for_the_providers_sdk() {
    let bench = Bench::answering(ProviderKind::Anthropic, AuthType::Oidc).await;
    let Verdict::Instead(reply) = bench.answers(&bench.stream(), "401", &[]) else { panic!() };
    let Some(Response::ImmediateResponse(no)) = message(reply).response else { panic!() };
    let body = String::from_utf8(no.body).unwrap();
    assert!(body.starts_with(r#"{"type":"error","error":{"type":"overloaded_error","message":"#), "{body}");
}
