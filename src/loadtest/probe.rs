//! One question before the load: whether the server answers at all, and as it should.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::ask::ask;
use super::check::{Judge, Judgement};
use super::connect::{ConnectError, Dialer};
use super::plan::Plan;
use super::question::Questions;
use super::record::Outcome;
use super::told::told;

/// What the first question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// In short.
    pub outcome: Outcome,
    /// The server's own words, where there are any.
    pub words: Option<String>,
}

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(250);

/// Asks once; while the answer is not the expected one, again until `wait` is over: a server may have to fetch the callers'
/// keys first. `waiting` hears of every other answer.
///
/// # Errors
/// There is no connection.
pub async fn probe(
    plan: &Plan,
    questions: &Arc<Questions>,
    wait: Duration,
    mut waiting: impl FnMut(&Probe),
) -> Result<Probe, ConnectError> {
    let local = LocalSet::new();
    let asked = async {
        let dialer = Dialer::new(&plan.target, plan.patience)?;
        let mut client = dialer.dial().await?;
        let until = Instant::now() + wait;
        let judge =
            Judge::new(questions.protocol, questions.expectation.clone(), questions.token_header.clone());
        let judge = Rc::new(RefCell::new(judge));
        loop {
            let answer = timeout(plan.patience, async {
                match client.clone().ready().await {
                    Ok(mut ready) => ask(&mut ready, questions, 0, &judge).await,
                    // It may have to do with what was asked before.
                    Err(error) => {
                        let words = told(&error.to_string(), questions.token(&questions.of(0)));
                        Judgement { outcome: Outcome::Broken, words: Some(words) }
                    }
                }
            });
            let probe = match answer.await {
                Ok(Judgement { outcome, words }) => Probe { outcome, words },
                Err(_) => Probe { outcome: Outcome::TimedOut, words: None },
            };
            if probe.outcome == Outcome::Right || Instant::now() >= until {
                return Ok(probe);
            }
            waiting(&probe);
            sleep(AGAIN).await;
            if probe.outcome == Outcome::Broken {
                client = dialer.dial().await?;
            }
        }
    };
    local.run_until(asked).await
}
