//! When keys are fetched and what a request waits for. Fetches are injected, time is paused.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, advance, sleep, timeout};

use super::*;
use crate::outbound::key_set::{Fetch, spawn};
use crate::outbound::{Http, KeySetRefresher, OutboundError};

/// How an injected fetch goes.
#[derive(Clone, Copy)]
enum Play {
    Keys(&'static str),
    Slow(&'static str),
    Fail,
    Panic,
}

#[derive(Clone)]
struct Stage {
    play: Arc<Mutex<Play>>,
    fetches: Arc<AtomicUsize>,
}

impl Stage {
    fn new(play: Play) -> Self {
        Self { play: Arc::new(Mutex::new(play)), fetches: Arc::default() }
    }

    fn play(&self, play: Play) {
        *self.play.lock().unwrap() = play;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// The fetch; `other.example` hangs always.
    fn fetch(&self) -> Fetch {
        let stage = self.clone();
        Arc::new(move |settings| {
            let stage = stage.clone();
            Box::pin(async move {
                if &*settings.issuer == "https://other.example" {
                    std::future::pending::<()>().await;
                }
                stage.fetches.fetch_add(1, Ordering::SeqCst);
                let play = *stage.play.lock().unwrap();
                match play {
                    Play::Keys(document) => Ok(keys(document)),
                    Play::Slow(document) => {
                        sleep(Duration::from_millis(100)).await;
                        Ok(keys(document))
                    }
                    Play::Fail => Err(OutboundError::Status(503)),
                    Play::Panic => panic!("hunter2"),
                }
            })
        })
    }
}

/// An issuer whose first fetch is over.
async fn started(play: Play) -> (Arc<Issuer>, Stage, KeySetRefresher) {
    let (issuer, stage) = (issuer("https://idp.example", None), Stage::new(play));
    let refresher = spawn(&[Arc::clone(&issuer)], &stage.fetch());
    let first = timeout(Duration::from_secs(60), refresher.refreshed(0)).await;
    assert!(first.is_ok(), "the task is gone");
    assert_eq!(stage.fetches(), 1);
    (issuer, stage, refresher)
}

fn key_count(issuer: &Issuer) -> usize {
    issuer.keys.load().as_ref().map_or(0, |keys| keys.len())
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_first_fetch() {
    let (issuer, stage) = (issuer("https://idp.example", None), Stage::new(Play::Slow(ONE_KEY)));
    let refresher = spawn(&[Arc::clone(&issuer)], &stage.fetch());
    assert!(!refresher.status()[0].has_keys);
    assert!(refresher.refreshed(0).await);
    assert_eq!((key_count(&issuer), stage.fetches()), (1, 1));
    assert!(!refresher.refreshed(7).await, "no such issuer");
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_there_after_one_fetch() {
    let (issuer, stage, refresher) = started(Play::Keys(ONE_KEY)).await;
    stage.play(Play::Keys(TWO_KEYS));
    assert!(refresher.refreshed(0).await);
    assert_eq!((key_count(&issuer), stage.fetches()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unknown_kids_cause_one_fetch_in_30_seconds() {
    let (_issuer, stage, refresher) = started(Play::Slow(ONE_KEY)).await;
    for round in 2..5 {
        let waiters: Vec<_> = (0..10_000)
            .map(|_| {
                tokio::spawn({
                    let refresher = refresher.clone();
                    async move { refresher.refreshed(0).await }
                })
            })
            .collect();
        for waiter in waiters {
            assert!(waiter.await.unwrap(), "all wait for the one fetch");
        }
        let before = Instant::now();
        for _ in 0..10_000 {
            assert!(!refresher.refreshed(0).await, "braked");
        }
        assert_eq!(before.elapsed(), Duration::ZERO, "the brake does not wait");
        assert_eq!(stage.fetches(), round);
        advance(Duration::from_secs(29)).await;
        assert!(!refresher.refreshed(0).await);
        advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_every_ten_minutes_or_so() {
    let (_issuer, stage, _refresher) = started(Play::Keys(ONE_KEY)).await;
    sleep(Duration::from_secs(539)).await;
    assert_eq!(stage.fetches(), 1);
    sleep(Duration::from_secs(122)).await;
    assert_eq!(stage.fetches(), 2);
    sleep(Duration::from_secs(60 * 600)).await;
    assert!((54..=67).contains(&(stage.fetches() - 2)), "{}", stage.fetches());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_asked_with_patience_and_its_old_keys_stay() {
    let (issuer, stage, refresher) = started(Play::Keys(ONE_KEY)).await;
    stage.play(Play::Fail);
    assert!(!refresher.refreshed(0).await);
    assert_eq!(key_count(&issuer), 1);
    let status = refresher.status().remove(0);
    assert_eq!((status.has_keys, status.last_error), (true, Some(OutboundError::Status(503))));
    assert_eq!((status.refreshed, status.failed), (1, 1));
    sleep(Duration::from_secs(3_600)).await;
    // Between one a minute and what the climb adds: full jitter halves the mean wait.
    assert!((60..=240).contains(&stage.fetches()), "{}", stage.fetches());
    assert_eq!(key_count(&issuer), 1);
    stage.play(Play::Keys(TWO_KEYS));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(key_count(&issuer), 2);
    assert_eq!(refresher.status()[0].last_error, None);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_a_failure_and_the_next_one_works() {
    let (issuer, stage, refresher) = started(Play::Panic).await;
    assert_eq!(refresher.status()[0].last_error, Some(OutboundError::Broken));
    stage.play(Play::Keys(ONE_KEY));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(key_count(&issuer), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_holds_nobody_else_up() {
    let all = [issuer("https://other.example", None), issuer("https://idp.example", None)];
    let stage = Stage::new(Play::Keys(ONE_KEY));
    let refresher = spawn(&all, &stage.fetch());
    assert!(refresher.refreshed(1).await);
    assert!(timeout(Duration::from_secs(3_600), refresher.refreshed(0)).await.is_err());
    let status = refresher.status();
    assert_eq!((status[0].has_keys, status[1].has_keys), (false, true));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_stops_no_fetch() {
    let (issuer, stage, refresher) = started(Play::Keys(ONE_KEY)).await;
    stage.play(Play::Slow(TWO_KEYS));
    assert!(timeout(Duration::from_millis(1), refresher.refreshed(0)).await.is_err());
    assert!(refresher.refreshed(0).await, "joins the fetch that is under way");
    assert_eq!((key_count(&issuer), stage.fetches()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_tasks_end_with_the_last_handle() {
    let (issuer, stage, refresher) = started(Play::Fail).await;
    let monitor = refresher.monitor();
    let clone = refresher.clone();
    drop(refresher);
    sleep(Duration::from_secs(3_600)).await;
    let before = stage.fetches();
    assert!(before > 1, "the clone keeps them");
    drop(clone);
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(stage.fetches(), before);
    assert_eq!(monitor.status().len(), 1);
    drop((issuer, monitor));
}

#[tokio::test]
async fn bad_documents_leave_the_old_keys_in_place() {
    let server = Server::start().await.at("/jwks", json(ONE_KEY));
    let issuer = issuer("https://idp.example", Some(server.url("/jwks")));
    let http = Http::with_deadline(Duration::from_millis(300)).unwrap();
    let fetch: Fetch = Arc::new(move |settings| {
        let http = http.clone();
        Box::pin(async move { crate::outbound::discovery::key_set(&http, &settings).await })
    });
    drop({
        let first = spawn(&[Arc::clone(&issuer)], &fetch);
        assert!(first.refreshed(0).await);
        first
    });
    for reply in [
        Reply::Ok("application/json", vec![b' '; 10 << 20]),
        Reply::Raw("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned()),
        Reply::Ok("text/html", ONE_KEY.into()),
        json("<html>sign in</html>"),
        json(r#"{"keys":[]}"#),
        json("garbage"),
        Reply::Drip,
        Reply::Endless,
    ] {
        server.put("/jwks", reply);
        // Each begins with a fetch, without the brake.
        let refresher = spawn(&[Arc::clone(&issuer)], &fetch);
        assert!(!refresher.refreshed(0).await);
        assert_eq!(key_count(&issuer), 1);
        assert!(refresher.status()[0].last_error.is_some());
        assert!(refresher.status()[0].has_keys);
    }
}
