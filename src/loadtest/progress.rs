//! How far a run is: one line of a terminal, drawn again and again, and gone in the end.
//!
//! It has no colour, so that `NO_COLOR` has nothing to forbid.

use std::fmt::Write as _;
use std::io::{IsTerminal, Stderr, Write};
use std::sync::Arc;
use std::time::Duration;

use super::gauge::{Gauge, Reading};
use super::plan::Until;
use super::units;

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;
/// The bar at its longest.
const BAR: usize = 28;
/// What is called `now`.
const NOW: Duration = Duration::from_secs(1);
/// Back to the first column.
const BACK: &str = "\r";
/// Off with what stands right of here (ECMA-48, EL).
const ERASE: &str = "\x1b[K";

/// Shows how far a run is, on stderr where that is a terminal.
#[derive(Debug)]
pub struct Progress<W: Write = Stderr> {
    /// None: nobody looks.
    screen: Option<W>,
    columns: usize,
    until: Until,
    gauges: Vec<Arc<Gauge>>,
    before: (Duration, Reading),
    now: Option<Now>,
    drawn: bool,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    rate: f64,
    p99: Option<u64>,
}

impl Progress {
    /// Of a run that ends at `until` and is counted by `gauges`.
    #[must_use]
    pub fn new(until: Until, gauges: Vec<Arc<Gauge>>) -> Self {
        let screen = std::io::stderr();
        let columns = rustix::termios::tcgetwinsize(&screen).map_or(COLUMNS, |size| usize::from(size.ws_col));
        Self::on(screen.is_terminal().then_some(screen), columns, until, gauges)
    }
}

impl<W: Write> Progress<W> {
    fn on(screen: Option<W>, columns: usize, until: Until, gauges: Vec<Arc<Gauge>>) -> Self {
        let before = (Duration::ZERO, Reading::of(gauges.iter().map(|gauge| &**gauge)));
        // Some terminals tell 0, and what fills the last column wraps in some.
        let columns = if columns == 0 { COLUMNS } else { columns }.saturating_sub(1);
        Self { screen, columns, until, gauges, before, now: None, drawn: false }
    }

    /// Nothing is measured yet, for so long.
    pub fn warming_up(&mut self, left: Duration) {
        if self.screen.is_some() {
            self.draw(&format!("warming up, {} left", units::span(Duration::from_secs(left.as_secs()))));
        }
    }

    /// So long was measured. To be called a few times a second; figures change once a second, so that they can be read.
    pub fn show(&mut self, elapsed: Duration) {
        if self.screen.is_none() {
            return;
        }
        let reading = Reading::of(self.gauges.iter().map(|gauge| &**gauge));
        let (then, before) = &self.before;
        let since = elapsed.saturating_sub(*then);
        if since >= NOW {
            let rate = float(reading.answered.saturating_sub(before.answered)) / since.as_secs_f64();
            self.now = Some(Now { rate, p99: reading.p99_since(before) });
            self.before = (elapsed, reading.clone());
        }
        let line = self.line(elapsed, &reading);
        self.draw(&line);
    }

    /// Leaves the terminal as it was.
    pub fn end(&mut self) {
        if let Some(screen) = self.screen.as_mut().filter(|_| self.drawn) {
            let _nobody_looks = screen.write_all(format!("{BACK}{ERASE}").as_bytes());
            let _nobody_looks = screen.flush();
        }
        self.drawn = false;
    }

    fn line(&self, elapsed: Duration, reading: &Reading) -> String {
        let whole = Duration::from_secs(elapsed.as_secs());
        let (done, share) = match self.until {
            Until::Elapsed(all) => {
                let done = format!("{} of {}", units::span(whole.min(all)), units::span(all));
                (done, elapsed.as_secs_f64() / all.as_secs_f64())
            }
            Until::Requests(all) => {
                let done = format!("{} of {}", units::count(reading.answered), units::count(all));
                (done, float(reading.answered) / float(all))
            }
        };
        let mut figures = String::new();
        if let Some(Now { rate, p99 }) = self.now {
            // Writing to a String does not fail.
            let _ = write!(figures, "  {}/s", units::rate(rate));
            if let Some(p99) = p99 {
                let _ = write!(figures, "  p99 {}", units::micros(p99));
            }
        }
        let _ = match reading.errors {
            1 => write!(figures, "  1 error"),
            errors => write!(figures, "  {} errors", units::count(errors)),
        };
        let room = self.columns.saturating_sub(done.chars().count() + figures.chars().count() + 2).min(BAR);
        format!("{}  {done}{figures}", bar(share, room)).trim_start().to_owned()
    }

    fn draw(&mut self, line: &str) {
        let line: String = line.chars().take(self.columns).collect();
        if let Some(screen) = &mut self.screen {
            // One write, so that no half a line is ever seen.
            let _nobody_looks = screen.write_all(format!("{BACK}{line}{ERASE}").as_bytes());
            let _nobody_looks = screen.flush();
            self.drawn = true;
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.end();
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "columns of a bar"
)]
fn bar(share: f64, room: usize) -> String {
    // Where all is nothing the share is no number, and the bar is full.
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
    let full = (share * room as f64) as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(room.saturating_sub(full)))
}

#[allow(clippy::cast_precision_loss, reason = "told in a few digits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::record::{Outcome, Recorder, Sample};
    use super::*;

    const MINUTE: Until = Until::Elapsed(Duration::from_secs(60));

    fn add(recorder: &mut Recorder, right: u64, broken: u64) {
        let (due, took) = (Duration::ZERO, Duration::from_micros(400));
        (0..right).for_each(|_| recorder.add(Sample { due, took, outcome: Outcome::Right }));
        (0..broken).for_each(|_| recorder.add(Sample { due, took, outcome: Outcome::Broken }));
    }

    /// What stands on the terminal after each drawing.
    fn lines(screen: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(screen);
        text.split(BACK).skip(1).map(|line| line.strip_suffix(ERASE).unwrap().to_owned()).collect()
    }

    #[test]
    fn one_line_is_drawn_again_and_again_and_gone_in_the_end() {
        let mut recorders = [Recorder::new(), Recorder::new()];
        let mut screen = Vec::new();
        let gauges = recorders.iter().map(Recorder::gauge).collect();
        let mut progress = Progress::on(Some(&mut screen), 80, MINUTE, gauges);
        progress.warming_up(Duration::from_millis(2_900));
        progress.show(Duration::ZERO);
        add(&mut recorders[0], 3_000, 1);
        progress.show(Duration::from_millis(500));
        add(&mut recorders[1], 3_000, 0);
        progress.show(Duration::from_secs(15));
        progress.show(Duration::from_secs(61));
        drop(progress);
        assert!(!screen.contains(&b'\n'));
        let (half, whole) = ("░".repeat(BAR), "█".repeat(BAR));
        assert_eq!(
            lines(&screen),
            [
                "warming up, 2 s left".to_owned(),
                format!("{half}  0 s of 1 min  0 errors"),
                format!("{half}  0 s of 1 min  1 error"),
                format!("{}{}  15 s of 1 min  400/s  p99 415 µs  1 error", "█".repeat(7), "░".repeat(21)),
                format!("{whole}  1 min of 1 min  0/s  1 error"),
                String::new(),
            ]
        );
    }

    #[test]
    fn requests_are_counted_where_they_are_the_end() {
        let mut recorder = Recorder::new();
        let mut screen = Vec::new();
        let mut progress =
            Progress::on(Some(&mut screen), 80, Until::Requests(2_000), vec![recorder.gauge()]);
        add(&mut recorder, 1_000, 0);
        progress.show(Duration::from_millis(10));
        drop(progress);
        let bar = format!("{}{}", "█".repeat(14), "░".repeat(14));
        assert_eq!(lines(&screen)[0], format!("{bar}  1,000 of 2,000  0 errors"));
    }

    #[test]
    fn it_never_wraps() {
        let mut recorder = Recorder::new();
        add(&mut recorder, 10, 0);
        for columns in [0, 1, 7, 20, 40, 80, 300] {
            let mut screen = Vec::new();
            let mut progress = Progress::on(Some(&mut screen), columns, MINUTE, vec![recorder.gauge()]);
            progress.show(Duration::from_secs(30));
            progress.show(Duration::from_secs(40));
            drop(progress);
            let most = if columns == 0 { COLUMNS } else { columns };
            assert!(lines(&screen).iter().all(|line| line.chars().count() < most), "{columns}");
        }
    }

    #[test]
    fn where_nobody_looks_nothing_is_written() {
        let mut progress: Progress<Vec<u8>> = Progress::on(None, 80, MINUTE, Vec::new());
        progress.warming_up(Duration::ZERO);
        progress.show(Duration::from_secs(1));
        progress.end();
        assert!(!progress.drawn);
    }

    #[test]
    fn it_is_ended_once() {
        let mut screen = Vec::new();
        let mut progress = Progress::on(Some(&mut screen), 80, MINUTE, Vec::new());
        progress.show(Duration::ZERO);
        progress.end();
        drop(progress);
        assert_eq!(lines(&screen).len(), 2);
    }
}
