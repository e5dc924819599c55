//! Rates, histograms and time lines of runs that can be counted by hand.

use super::super::fixture;
use super::super::record::Sample;
use super::*;

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

fn recorder(samples: &[(f64, f64, Outcome)]) -> Recorder {
    let mut recorder = Recorder::new();
    for (due, took, outcome) in samples {
        recorder.add(Sample { due: secs(*due), took: secs(*took), outcome: *outcome });
    }
    recorder
}

fn summary(recorder: &Recorder, elapsed: f64) -> Summary {
    let asked = fixture::asked(Pace::Closed, secs(elapsed));
    Summary::new(asked, fixture::BEGAN, secs(elapsed), recorder, None)
}

#[test]
fn only_right_answers_make_the_rate_and_late_ones_take_their_time() {
    let right = recorder(&[
        (0.0, 0.1, Outcome::Right),
        (1.0, 0.1, Outcome::Right),
        (1.0, 0.1, Outcome::Refused(503)),
    ]);
    assert!((summary(&right, 2.0).rate - 1.0).abs() < 1e-9);
    // A backlog that was worked off after the end.
    let late = recorder(&[(0.0, 4.0, Outcome::Right), (1.0, 3.0, Outcome::Right)]);
    assert!((summary(&late, 2.0).rate - 0.5).abs() < 1e-9);
    // Whoever never answered does not make the run longer.
    let never = recorder(&[(0.0, 0.1, Outcome::Right), (1.0, 30.0, Outcome::TimedOut)]);
    assert!((summary(&never, 2.0).rate - 0.5).abs() < 1e-9);
}

#[test]
fn errors_stand_in_the_order_of_their_number() {
    let recorder = recorder(&[
        (0.5, 0.1, Outcome::Broken),
        (0.6, 0.1, Outcome::Status(14)),
        (0.7, 0.1, Outcome::Status(14)),
    ]);
    let summary = summary(&recorder, 1.0);
    let kinds: Vec<_> = summary.errors.iter().map(|kind| (kind.outcome, kind.count, kind.first)).collect();
    assert_eq!(kinds, [(Outcome::Status(14), 2, secs(0.6)), (Outcome::Broken, 1, secs(0.5))]);
    assert_eq!((summary.requests, summary.right, summary.wrong(), summary.latency), (3, 0, 3, None));
}

#[test]
fn every_request_is_in_one_column_of_the_histogram() {
    for summary in [fixture::calm(), fixture::troubled(), fixture::three()] {
        let latency = summary.latency.unwrap();
        let columns = latency.bars.iter().chain(&latency.tail);
        assert_eq!(columns.map(|bar| bar.count).sum::<u64>(), latency.count);
        assert!(
            latency.bars.windows(2).all(|pair| pair[0].to + 1 == pair[1].from && pair[1].to >= pair[1].from)
        );
        assert_eq!(latency.bars.first().map(|bar| bar.from), Some(latency.min));
        let end = latency.bars.iter().chain(&latency.tail).last();
        assert_eq!(end.map(|bar| bar.to), Some(latency.max));
    }
}

#[test]
fn the_curve_of_percentiles_rises_and_tells_no_more_nines_than_were_measured() {
    for (summary, nines) in [(fixture::three(), 0.5), (fixture::calm(), 0.999_99)] {
        let latency = summary.latency.unwrap();
        assert!(latency.percentiles.windows(2).all(|pair| pair[0].percent < pair[1].percent));
        assert!(latency.percentiles.windows(2).all(|pair| pair[0].took <= pair[1].took));
        let [.., last, all] = &latency.percentiles[..] else { panic!("two at least") };
        assert!((last.percent - 100.0 * nines).abs() < 2.0 * (1.0 - nines) * 100.0, "{last:?}");
        assert_eq!(*all, Percentile { percent: 100.0, took: latency.max });
    }
}

#[test]
fn the_last_part_of_the_time_line_is_as_long_as_it_was() {
    let parts = |end: f64| {
        let samples: Vec<_> =
            (0..40).map(|index| (f64::from(index) * end / 40.0, 0.001, Outcome::Right)).collect();
        let parts = summary(&recorder(&samples), end).timeline;
        assert_eq!(parts.iter().map(|part| part.answered).sum::<u64>(), 40);
        parts.iter().map(|part| part.width).collect::<Vec<_>>()
    };
    assert_eq!(parts(3.0), [secs(1.0), secs(1.0), secs(1.0)]);
    assert_eq!(parts(2.5), [secs(1.0), secs(1.0), secs(0.5)]);
    assert_eq!(parts(2.25), [secs(1.0), secs(1.25)]);
    assert_eq!(parts(0.25), [secs(0.25)]);
}

#[test]
fn the_server_is_measured_from_the_first_reading_to_the_last() {
    let server = fixture::calm().server.unwrap();
    // 50 ms a second for a minute, over 120,000 requests.
    assert!(server.cpu_per_request.is_some_and(|cpu| (cpu - 25.0).abs() < 1e-9));
    assert!(
        (server.cores - 0.05).abs() < 1e-9
            && server.points.iter().all(|point| (point.cores - 0.05).abs() < 1e-9)
    );
    assert_eq!(server.points.len(), 60);
    // The kernel's mark is of before the measurement, and did not move in it.
    assert_eq!(
        (server.start.rss_bytes, server.peak_rss_bytes, server.end.rss_bytes),
        (28 << 20, 31 << 20, 31 << 20)
    );
}
