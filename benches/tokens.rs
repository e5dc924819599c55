//! `cargo bench --bench tokens`: what a cached token takes in memory, and how the renewal of very many is spread. See
//! benches/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a benchmark reads the clock and ends where its surroundings are missing"
)]

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bouncer::base::{Clock, Expiry, FingerprintKey, Now, Secret, SystemClock};
use bouncer::cache::{
    CacheKey, Entry, Exchange, Held, Keyed, Observer, Obtained, Obtaining, Policy, RefreshPolicy, Refresher,
    Source,
};
use bouncer::credential::{Bearer, Credential};
use bouncer::token::{SourceError, TokenEntry};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tokens that are held at once.
const TOKENS: usize = 100_000;
/// Providers that start together.
const PROVIDERS: usize = 10_000;
/// A JWT of a usual size.
const TOKEN_BYTES: usize = 900;

/// An identity provider that answers after a while, with a token of the usual size.
struct Idp {
    takes: Duration,
    life: Duration,
    clock: Arc<dyn Clock>,
    fingerprints: FingerprintKey,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

struct Nobody;

impl Idp {
    fn new(takes: Duration, life: Duration) -> Arc<Self> {
        Arc::new(Self {
            takes,
            life,
            clock: Arc::new(SystemClock),
            fingerprints: FingerprintKey::random().expect("randomness"),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    fn token(&self, began: Now) -> Obtained<Credential> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let text = format!("{number:0>TOKEN_BYTES$}");
        let id = self.fingerprints.of(text.as_bytes());
        let token = Secret::new(text);
        let value = Bearer { token: &token, user_project: None, beta: None }.credential().expect("digits");
        Obtained {
            value,
            id,
            expiry: Some(Expiry::after(began, self.life)),
            refresh_in: None,
            provenance: None,
        }
    }
}

impl Source<Credential, SourceError> for Idp {
    fn obtain(&self) -> Obtaining<'_, Credential, SourceError> {
        Box::pin(async move {
            let began = self.clock.now();
            let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
            if !self.takes.is_zero() {
                tokio::time::sleep(self.takes).await;
            }
            self.at_once.fetch_sub(1, Ordering::Relaxed);
            Ok(self.token(began))
        })
    }
}

impl Observer<Credential, SourceError> for Nobody {
    fn renewed(&self, _: &Exchange<'_, Credential>, _: &Held<Credential>) {}
    fn failed(&self, _: &Exchange<'_, Credential>, _: &SourceError, _: u32, _: Duration) {}
}

/// Memory of a cached token, and how the renewal of very many is spread.
#[derive(Parser)]
struct Options {
    /// What cargo says to every bench that it measures
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    if !Options::parse().bench {
        // `cargo test --benches` starts the program too, and wants no figures.
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(memory());
    runtime.block_on(start());
}

fn entry(idp: &Arc<Idp>, refresh: RefreshPolicy, refresher: &Arc<Refresher>) -> Arc<TokenEntry> {
    let policy = Policy { refresh, ..Policy::default() };
    Entry::new(Arc::<Idp>::clone(idp), policy, "https://idp.example", Arc::new(Nobody), refresher)
}

/// Fills the cache with tokens that were obtained one by one.
async fn memory() {
    let idp = Idp::new(Duration::ZERO, Duration::from_secs(3_600));
    let refresher = Refresher::start(Arc::clone(&idp.clock));
    let keyed = Keyed::<TokenEntry>::new(TOKENS as u64 * 2, 1 << 40, |_| 1);
    // Once for what the runtime and the allocator take anyway.
    entry(&idp, RefreshPolicy::PreExpiry, &refresher).renewed().await.expect("a token");
    let (before, began) = (resident(), Instant::now());
    for number in 0..TOKENS {
        let made = || entry(&idp, RefreshPolicy::PreExpiry, &refresher);
        let entry = keyed.get_or_make(CacheKey::of("bench", &number), made);
        entry.renewed().await.expect("a token");
    }
    let took = began.elapsed();
    assert_eq!(keyed.len(), TOKENS as u64);
    let each = (resident() - before) / TOKENS;
    say(format_args!(
        "{TOKENS} cached tokens of {TOKEN_BYTES} bytes: {each} bytes each, {} beside the token; {:.1} µs an exchange",
        each.saturating_sub(TOKEN_BYTES),
        took.as_secs_f64() * 1e6 / TOKENS as f64,
    ));
}

/// Very many providers of one identity provider that all want their token at start.
async fn start() {
    let idp = Idp::new(Duration::from_millis(10), Duration::from_secs(3_600));
    let refresher = Refresher::start(Arc::clone(&idp.clock));
    let began = Instant::now();
    let entries: Vec<_> = (0..PROVIDERS).map(|_| entry(&idp, RefreshPolicy::Proactive, &refresher)).collect();
    let made = began.elapsed();
    tokio::task::yield_now().await;
    let asked = Instant::now();
    entries.last().expect("there are some").renewed().await.expect("a token");
    let demanded = asked.elapsed();
    while idp.asked.load(Ordering::Relaxed) < PROVIDERS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    say(format_args!(
        "{PROVIDERS} proactive providers of one identity provider that takes 10 ms: set up in {:.0} ms, all fresh after \
         {:.1} s, at most {} exchanges at once; a request for the last of them waited {:.0} ms",
        made.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64(),
        idp.most_at_once.load(Ordering::Relaxed),
        demanded.as_secs_f64() * 1e3,
    ));
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
