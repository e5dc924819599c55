//! What counts as what, and that merged recorders tell what one would have told.

use proptest::prelude::*;

use super::*;

fn sample(due: u64, took: u64, outcome: Outcome) -> Sample {
    Sample { due: Duration::from_millis(due), took: Duration::from_micros(took), outcome }
}

#[test]
fn quick_refusals_do_not_flatter_the_latency_and_late_answers_are_not_left_out() {
    let mut recorder = Recorder::new();
    for (took, outcome) in [
        (500, Outcome::Right),
        (1, Outcome::Refused(503)),
        (1, Outcome::Broken),
        (1, Outcome::Status(14)),
        (1, Outcome::Wrong("no credential")),
        (900, Outcome::TimedOut),
    ] {
        recorder.add(sample(0, took, outcome));
    }
    assert_eq!((recorder.requests, recorder.right, recorder.errors.len()), (6, 1, 5));
    assert_eq!(
        (recorder.latencies.count(), recorder.latencies.min(), recorder.latencies.max()),
        (2, 500, 900)
    );
    let slot = &recorder.timeline.slots()[0];
    assert_eq!((slot.answered, slot.errors, slot.latencies.count()), (6, 5, 2));
}

#[test]
fn the_first_reason_of_a_kind_is_kept_and_has_no_power() {
    let mut recorder = Recorder::new();
    recorder.add(sample(0, 1, Outcome::Status(14)));
    recorder.add_with_reason(sample(5, 1, Outcome::Status(14)), " ");
    recorder.add_with_reason(sample(6, 1, Outcome::Status(14)), "\x1b[2Jgone\n");
    recorder.add_with_reason(sample(7, 1, Outcome::Status(14)), "later");
    recorder.add_with_reason(sample(8, 1, Outcome::Status(8)), &"x".repeat(100_000));
    let kept = &recorder.errors[&Outcome::Status(14)];
    assert_eq!((kept.count, kept.first), (4, Duration::ZERO));
    assert_eq!(kept.reason.as_deref(), Some("\\u{1b}[2Jgone"));
    assert!(recorder.errors[&Outcome::Status(8)].reason.as_ref().is_some_and(|text| text.len() < 300));
}

#[test]
fn a_server_that_makes_up_statuses_fills_no_memory() {
    let mut recorder = Recorder::new();
    (0..10_000).for_each(|status| recorder.add(sample(0, 1, Outcome::Status(status))));
    assert_eq!((recorder.errors.len(), recorder.other_errors), (MOST_KINDS, 10_000 - MOST_KINDS as u64));
}

#[test]
fn what_is_counted_shows_at_once() {
    let mut recorder = Recorder::new();
    let gauge = recorder.gauge();
    recorder.add(sample(0, 1, Outcome::Right));
    recorder.add(sample(0, 1, Outcome::Broken));
    let reading = super::super::gauge::Reading::of([&*gauge]);
    assert_eq!((reading.answered, reading.errors), (2, 1));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Right),
        (400..405_u16).prop_map(Outcome::Refused),
        (1..17).prop_map(Outcome::Status),
        Just(Outcome::TimedOut),
        Just(Outcome::Broken),
        Just(Outcome::Wrong("not of the schema")),
    ]
}

proptest! {
    #[test]
    fn merged_is_as_if_added(
        samples in proptest::collection::vec((0..4_000_000_u64, 1..9_000_000_u64, outcomes(), 0..3_usize), 0..80),
    ) {
        let mut parts = [Recorder::new(), Recorder::new(), Recorder::new()];
        let mut all = Recorder::new();
        for (due, took, outcome, part) in samples {
            parts[part].add(sample(due, took, outcome));
            all.add(sample(due, took, outcome));
        }
        let [mut merged, second, third] = parts;
        merged.merge(second);
        merged.merge(third);
        prop_assert_eq!((merged.requests, merged.right, merged.last_right), (all.requests, all.right, all.last_right));
        prop_assert_eq!(&merged.errors, &all.errors);
        for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
            prop_assert_eq!(merged.latencies.quantile(share), all.latencies.quantile(share));
        }
        let slots = |recorder: &Recorder| {
            let slots = recorder.timeline.slots().iter();
            slots.map(|slot| (slot.answered, slot.errors, slot.latencies.count())).collect::<Vec<_>>()
        };
        prop_assert_eq!(slots(&merged), slots(&all));
    }
}
