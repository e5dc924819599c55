//! What happened when: slots of a second, and of two, four, … seconds where a run is long.

use std::time::Duration;

use super::latency::Latencies;

/// So many slots at the most: enough for a curve, and the same room for a minute and for a week.
pub(super) const MOST_SLOTS: usize = 600;

/// One slot.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Requests whose answer, or whose end without one, fell into it.
    pub(super) answered: u64,
    /// Those of them that were not right.
    pub(super) errors: u64,
    /// How long those took that were due in it: a stall shows where it began.
    pub(super) latencies: Latencies<u32>,
}

/// Slots of equal width from the start of the measurement. Two neighbours become one whenever there are too many.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width: Duration,
    slots: Vec<Slot>,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { width: Duration::from_secs(1), slots: Vec::new() }
    }

    pub(super) fn width(&self) -> Duration {
        self.width
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn answered(&mut self, at: Duration) {
        let slot = self.slot(at);
        slot.answered = slot.answered.saturating_add(1);
    }

    pub(super) fn failed(&mut self, at: Duration) {
        let slot = self.slot(at);
        slot.errors = slot.errors.saturating_add(1);
    }

    pub(super) fn took(&mut self, due: Duration, took: Duration) {
        self.slot(due).latencies.add(took);
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        while self.width < other.width {
            self.coarsen();
        }
        while other.width < self.width {
            other.coarsen();
        }
        if self.slots.len() < other.slots.len() {
            std::mem::swap(&mut self.slots, &mut other.slots);
        }
        self.slots.iter_mut().zip(&other.slots).for_each(|(slot, other)| slot.merge(other));
    }

    fn slot(&mut self, at: Duration) -> &mut Slot {
        let mut index = self.index(at);
        while index >= MOST_SLOTS {
            self.coarsen();
            index = self.index(at);
        }
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::new);
        }
        let Some(slot) = self.slots.get_mut(index) else { unreachable!("it was just made") };
        slot
    }

    fn index(&self, at: Duration) -> usize {
        usize::try_from(at.as_secs() / self.width.as_secs().max(1)).unwrap_or(usize::MAX)
    }

    fn coarsen(&mut self) {
        self.width = self.width.saturating_mul(2);
        let mut old = std::mem::take(&mut self.slots).into_iter();
        while let Some(mut first) = old.next() {
            if let Some(second) = old.next() {
                first.merge(&second);
            }
            self.slots.push(first);
        }
    }
}

impl Slot {
    fn new() -> Self {
        Self { answered: 0, errors: 0, latencies: Latencies::coarse() }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.answered = self.answered.saturating_add(other.answered);
        self.errors = self.errors.saturating_add(other.errors);
        self.latencies.merge(&other.latencies);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn counts(timeline: &Timeline) -> Vec<(u64, u64, u64, u64)> {
        let of = |slot: &Slot| (slot.answered, slot.errors, slot.latencies.count(), slot.latencies.max());
        timeline.slots.iter().map(of).collect()
    }

    #[test]
    fn a_day_takes_no_more_room_than_ten_minutes() {
        let mut timeline = Timeline::new();
        let mut most = 0;
        for second in 0..DAY {
            timeline.answered(secs(second));
            timeline.took(secs(second), Duration::from_micros(1 + second % 5_000));
            most = most.max(timeline.slots.len());
        }
        assert!(most <= MOST_SLOTS, "{most}");
        assert_eq!(timeline.width, secs(256));
        assert_eq!(timeline.slots.iter().map(|slot| slot.answered).sum::<u64>(), DAY);
        let room: usize = timeline.slots.iter().map(|slot| slot.latencies.room()).sum();
        assert!(room < 4 << 20, "{room}");
    }

    #[test]
    fn the_end_of_time_is_a_slot_too() {
        let mut timeline = Timeline::new();
        timeline.answered(secs(0));
        timeline.answered(Duration::MAX);
        assert!(timeline.slots.len() <= MOST_SLOTS);
        assert_eq!(timeline.slots.iter().map(|slot| slot.answered).sum::<u64>(), 2);
    }

    #[test]
    fn a_stall_shows_where_it_began_and_its_answers_where_they_came() {
        let mut timeline = Timeline::new();
        timeline.took(secs(1), secs(3));
        timeline.answered(secs(4));
        assert_eq!(counts(&timeline)[1], (0, 0, 1, 3_000_000));
        assert_eq!(counts(&timeline)[4], (1, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn merged_is_as_if_added(
            one in proptest::collection::vec(0..3_000_u64, 0..60), two in proptest::collection::vec(0..900_u64, 0..60),
        ) {
            let (mut a, mut b, mut all) = (Timeline::new(), Timeline::new(), Timeline::new());
            for (list, into) in [(&one, &mut a), (&two, &mut b)] {
                for at in list {
                    for timeline in [&mut *into, &mut all] {
                        timeline.answered(secs(*at));
                        timeline.failed(secs(*at));
                        timeline.took(secs(*at), Duration::from_micros(at + 1));
                    }
                }
            }
            a.merge(b);
            prop_assert_eq!(a.width, all.width);
            prop_assert_eq!(counts(&a), counts(&all));
        }
    }
}
