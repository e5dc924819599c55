//! Tests of the way from an event to its sink, under a paused clock.

use tokio::time::Instant;

use super::queue::MOST_EVENTS;
use super::testing::{Memory, record};
use super::*;
use crate::base::{ManualClock, UnixTime};

fn in_memory() -> (Arc<Audit>, Memory) {
    testing::in_memory(Arc::new(ManualClock::at(UnixTime(1_798_675_200))))
}

fn attempts(memory: &Memory) -> Vec<u64> {
    memory.events().iter().map(|event| event["attempt"].as_u64().unwrap()).collect()
}

fn status(audit: &Audit) -> SinkStatus {
    audit.status().remove(0)
}

#[tokio::test(start_paused = true)]
async fn events_arrive_once_each_and_in_their_order() {
    let (audit, memory) = in_memory();
    (1..=500).for_each(|attempt| record(&audit, attempt));
    assert_eq!(status(&audit).pending, 500, "recording waits for nothing");
    audit.close(Duration::from_secs(5)).await;
    assert_eq!(attempts(&memory), (1..=500).collect::<Vec<_>>());
    let status = status(&audit);
    assert_eq!((status.written, status.failed, status.lost, status.pending), (500, 0, 0, 0));
    assert_eq!(audit.events().collect::<Vec<_>>(), [(Event::NAMES[0], 0), (Event::NAMES[1], 500)]);
    let ids: std::collections::HashSet<_> =
        memory.events().iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_keeps_events_waiting_and_is_tried_less_and_less_often() {
    let (audit, memory) = in_memory();
    memory.set_full(true);
    record(&audit, 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let failed = status(&audit).failed;
    assert!((15..=40).contains(&failed), "{failed} attempts in ten minutes");
    assert_eq!((status(&audit).pending, status(&audit).lost), (1, 0));
    record(&audit, 2);
    memory.set_full(false);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(attempts(&memory), [1, 2]);
    assert_eq!(status(&audit).pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_loses_the_newest_event_and_counts_it() {
    let (audit, memory) = in_memory();
    memory.set_full(true);
    let most = u32::try_from(MOST_EVENTS).unwrap();
    (0..most + 3).for_each(|attempt| record(&audit, attempt));
    assert_eq!((status(&audit).pending, status(&audit).lost), (MOST_EVENTS, 3));
    memory.set_full(false);
    audit.close(Duration::from_secs(5)).await;
    assert_eq!(attempts(&memory), (0..u64::from(most)).collect::<Vec<_>>());
    assert_eq!(status(&audit).lost, 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_has_what_waits_written_and_does_not_wait_for_the_next_attempt() {
    let (audit, memory) = in_memory();
    memory.set_full(true);
    record(&audit, 1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    memory.set_full(false);
    let began = Instant::now();
    audit.close(Duration::from_secs(5)).await;
    assert_eq!(attempts(&memory), [1]);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_end_is_bounded_and_what_is_left_is_lost_and_counted() {
    let (audit, memory) = in_memory();
    memory.hang();
    record(&audit, 1);
    let began = Instant::now();
    audit.close(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    record(&audit, 2);
    assert_eq!((status(&audit).lost, status(&audit).pending), (2, 0));
    assert!(memory.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_holds_up_no_other() {
    let (stuck, good) = (Memory::default(), Memory::default());
    stuck.hang();
    let clock = Arc::new(ManualClock::at(UnixTime(0)));
    let audit = Audit::to(vec![Box::new(stuck), Box::new(good.clone())], clock);
    record(&audit, 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(attempts(&good), [1]);
}

#[test]
fn without_a_sink_nothing_is_recorded() {
    let audit = Audit::start(&AuditSettings::default(), Arc::new(ManualClock::at(UnixTime(0))));
    record(&audit, 1);
    assert!(audit.status().is_empty() && audit.events().all(|(_, count)| count == 0));
}

/// A file's real way: through the thread that writes, and back.
#[tokio::test]
async fn a_file_has_the_events_when_the_end_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let settings = AuditSettings { sinks: vec![SinkSettings::File(path.clone())], fingerprint_key: None };
    let audit = Audit::start(&settings, Arc::new(ManualClock::at(UnixTime(0))));
    (1..=3).for_each(|attempt| record(&audit, attempt));
    audit.close(Duration::from_secs(5)).await;
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 3);
}
