//! A load: its generators begin at the same moment and what they measured is added up.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::connect::ConnectError;
use super::drive::{Generator, Measured as Part};
use super::gauge::Gauge;
use super::pacer;
use super::plan::{Pace, Plan};
use super::question::Questions;
use super::record::Recorder;

/// A load that runs. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    generators: Vec<oneshot::Receiver<Option<Part>>>,
    gauges: Vec<Arc<Gauge>>,
    zero: Instant,
}

/// What came of it.
#[derive(Debug)]
pub struct Measured {
    /// Every request from the end of the warm-up on.
    pub recorder: Recorder,
    /// How long was measured.
    pub elapsed: Duration,
}

/// Why there is no load.
#[derive(Debug, Error)]
pub enum LoadtestError {
    /// The plan cannot be carried out.
    #[error("{0}")]
    Plan(&'static str),
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The machine has no room for a thread or its runtime.
    #[error("cannot start a generator: {0}")]
    Thread(#[from] std::io::Error),
    /// A generator is gone; its words stand above.
    #[error("a generator ended without a result")]
    Lost,
}

/// The generators sleep until then, or the first would begin before the last.
const LEAD: Duration = Duration::from_millis(5);

/// Opens the connections and begins.
///
/// # Errors
/// [`LoadtestError`] says what was tried and what to change.
pub async fn start(plan: &Plan, questions: Arc<Questions>) -> Result<Running, LoadtestError> {
    check(plan)?;
    let (stop, stopped) = watch::channel(false);
    let of = plan.threads;
    let (mut begins, mut readies, mut generators) = (Vec::new(), Vec::new(), Vec::new());
    let mut gauges = Vec::new();
    for index in 0..of {
        let (ready, is_ready) = oneshot::channel();
        let (begin, begins_at) = oneshot::channel();
        let (done, result) = oneshot::channel();
        let recorder = Recorder::new();
        gauges.push(recorder.gauge());
        let generator = Generator {
            plan: plan.clone(),
            part: pacer::Part { index, of },
            questions: Arc::clone(&questions),
            recorder,
            ready,
            begin: begins_at,
            stop: stopped.clone(),
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("generator-{index}")).spawn(move || {
            // Whoever does not wait any more has stopped it.
            let _nobody_waits = done.send(runtime.block_on(generator.run()));
        })?;
        begins.push(begin);
        readies.push(is_ready);
        generators.push(result);
    }
    for ready in readies {
        ready.await.map_err(|_| LoadtestError::Lost)??;
    }
    let start = Instant::now() + LEAD;
    for begin in begins {
        begin.send(start).map_err(|_| LoadtestError::Lost)?;
    }
    Ok(Running { stop, generators, gauges, zero: start + plan.warm_up })
}

/// Runs a load to its end.
///
/// # Errors
/// [`LoadtestError`] says what was tried and what to change.
pub async fn run(plan: &Plan, questions: Arc<Questions>) -> Result<Measured, LoadtestError> {
    start(plan, questions).await?.finish().await
}

fn check(plan: &Plan) -> Result<(), LoadtestError> {
    if plan.threads == 0 || plan.connections < plan.threads || plan.streams < plan.connections {
        return Err(LoadtestError::Plan(
            "a thread is needed, and a connection for each, and a stream for each of those",
        ));
    }
    match plan.pace {
        Pace::Open { rate } if !(rate.is_finite() && rate > 0.0) => {
            Err(LoadtestError::Plan("the rate has to be above zero"))
        }
        _ => Ok(()),
    }
}

impl Running {
    /// When the measurement begins, after the warm-up.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// What is counted meanwhile, one for each generator.
    #[must_use]
    pub fn gauges(&self) -> Vec<Arc<Gauge>> {
        self.gauges.clone()
    }

    /// Ends it early: what waits for an answer is not counted.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends it early once `true` is sent there.
    #[must_use]
    pub fn stopper(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`LoadtestError::Lost`].
    pub async fn finish(&mut self) -> Result<Measured, LoadtestError> {
        let mut all = Measured { recorder: Recorder::new(), elapsed: Duration::ZERO };
        for generator in &mut self.generators {
            let part = generator.await.ok().flatten().ok_or(LoadtestError::Lost)?;
            all.recorder.merge(part.recorder);
            all.elapsed = all.elapsed.max(part.elapsed);
        }
        Ok(all)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
