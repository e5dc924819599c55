//! A clock that stands still with tokio's, a source that is told what to bring, and a record of what was told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{
    Entry, Exchange, Failure, Held, Marked, Observer, Obtained, Obtaining, Policy, Reason, RefreshPolicy,
    Refresher, Retry, Source,
};
use crate::base::{Clock, Expiry, FingerprintKey, Now, UnixTime};

/// Tokio's clock as both clocks. Stands still in a test that pauses it.
pub(crate) struct PausedClock {
    start: Instant,
    /// What was put on the calendar beside the time that passed.
    set: Mutex<i64>,
}

/// What a test's source can fail with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Down,
    Refused,
    Later(Duration),
    Timeout,
    Bug,
    Over,
}

/// A source whose answers are its script; when that is over it brings a new value each time.
pub(crate) struct Script {
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) life: Mutex<Duration>,
    pub(crate) takes: Mutex<Duration>,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    /// While none is there, an exchange hangs. One is used up by each.
    pub(crate) gate: Option<Semaphore>,
    pub(crate) asked: AtomicUsize,
    pub(crate) at_once: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
    made: AtomicUsize,
    key: FingerprintKey,
}

pub(crate) enum Answer {
    /// The value that was brought last, with the time that it has left.
    Same,
    Fail(Broken),
    Panic,
    Hang,
    Hint(Duration),
}

/// Everything that an observer is told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<Event>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Rotated(Reason),
    Same(Reason),
    Failed(Reason, Broken, u32),
}

pub(crate) type TestEntry = Entry<usize, Broken>;

impl PausedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), set: Mutex::new(0) })
    }

    /// Sets the calendar forward or back.
    pub(crate) fn set(&self, by: i64) {
        *self.set.lock().unwrap() += by;
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Now {
        let (now, set) = (Instant::now(), *self.set.lock().unwrap());
        let unix = 1_800_000_000u64 + (now - self.start).as_secs();
        Now { unix: UnixTime(unix.checked_add_signed(set).unwrap()), instant: now.into_std() }
    }
}

impl Failure for Broken {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused => Retry::WhenChanged,
            Self::Later(after) => Retry::After(*after),
            _ => Retry::Soon,
        }
    }

    fn timeout() -> Self {
        Self::Timeout
    }

    fn broken() -> Self {
        Self::Bug
    }

    fn over() -> Self {
        Self::Over
    }
}

impl Script {
    pub(crate) fn new(clock: &Arc<PausedClock>, life: Duration) -> Self {
        Self {
            clock: Arc::clone(clock),
            life: Mutex::new(life),
            takes: Mutex::default(),
            answers: Mutex::default(),
            gate: None,
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            key: FingerprintKey::random().unwrap(),
        }
    }

    pub(crate) fn gated(clock: &Arc<PausedClock>, life: Duration) -> Self {
        Self { gate: Some(Semaphore::new(0)), ..Self::new(clock, life) }
    }

    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Marked for usize {
    fn mark(&self) -> Option<&str> {
        None
    }
}

impl Source<usize, Broken> for Script {
    fn obtain(&self) -> Obtaining<'_, usize, Broken> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            let began = self.clock.now();
            if let Some(gate) = &self.gate {
                gate.acquire().await.unwrap().forget();
            }
            let takes = *self.takes.lock().unwrap();
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let answer = self.answers.lock().unwrap().pop_front();
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let mut refresh_in = None;
            match answer {
                None => {
                    self.made.fetch_add(1, Ordering::SeqCst);
                }
                Some(Answer::Hint(hint)) => {
                    self.made.fetch_add(1, Ordering::SeqCst);
                    refresh_in = Some(hint);
                }
                Some(Answer::Same) => {}
                Some(Answer::Fail(broken)) => return Err(broken),
                Some(Answer::Panic) => panic!("a source that panics"),
                Some(Answer::Hang) => std::future::pending().await,
            }
            let value = self.made.load(Ordering::SeqCst);
            let id = self.key.of(&value.to_be_bytes());
            let expiry = Expiry::after(began, *self.life.lock().unwrap());
            Ok(Obtained { value, id, expiry: Some(expiry), refresh_in, provenance: None })
        })
    }
}

impl Observer<usize, Broken> for Told {
    fn renewed(&self, exchange: &Exchange<'_, usize>, now: &Held<usize>) {
        let same = exchange.before.is_some_and(|before| before.id == now.id);
        let event = if same { Event::Same(exchange.reason) } else { Event::Rotated(exchange.reason) };
        self.0.lock().unwrap().push(event);
    }

    fn failed(&self, exchange: &Exchange<'_, usize>, error: &Broken, attempt: u32, _: Duration) {
        self.0.lock().unwrap().push(Event::Failed(exchange.reason, error.clone(), attempt));
    }
}

impl Told {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn rotations(&self) -> usize {
        self.events().iter().filter(|event| matches!(event, Event::Rotated(_))).count()
    }
}

/// One entry with its surroundings.
pub(crate) struct Bench {
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) source: Arc<Script>,
    pub(crate) told: Arc<Told>,
    pub(crate) entry: Arc<TestEntry>,
    pub(crate) refresher: Arc<Refresher>,
}

impl Bench {
    pub(crate) fn new(refresh: RefreshPolicy, life: Duration) -> Self {
        let clock = PausedClock::new();
        Self::with(refresh, Script::new(&clock, life))
    }

    pub(crate) fn with(refresh: RefreshPolicy, source: Script) -> Self {
        Self::with_policy(Policy { refresh, ..Policy::default() }, source)
    }

    pub(crate) fn with_policy(policy: Policy, source: Script) -> Self {
        let (clock, source, told) = (Arc::clone(&source.clock), Arc::new(source), Arc::<Told>::default());
        let refresher = Refresher::start(Arc::<PausedClock>::clone(&clock));
        let entry = Entry::new(
            Arc::<Script>::clone(&source),
            policy,
            "https://idp.example",
            Arc::<Told>::clone(&told),
            &refresher,
        );
        Self { clock, source, told, entry, refresher }
    }

    /// What a request does: takes what is there, waits for what is not. None where there is nothing to be had.
    pub(crate) async fn request(&self) -> Option<usize> {
        match self.entry.with(self.clock.now(), |held| held.value) {
            Ok(value) => Some(value),
            Err(_) => {
                let _told = self.entry.renewed_telling(|_part| ()).await;
                self.entry.handle().with_last_good(self.clock.now(), |held| held.value).ok()
            }
        }
    }
}
