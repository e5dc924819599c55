//! What the official cases of clock skew (`tests/sigv4/clocks.rs`) do not ask.

use super::*;
use crate::base::{Clock as _, ManualClock};

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
/// 2026-01-01T00:00:00Z.
const NEW_YEAR: u64 = 1_767_225_600;

fn date(unix: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix))
}

fn signed(host: &str, at: Now, time: UnixTime) -> Signed {
    Signed {
        entry: "".into(),
        host: host.into(),
        region: "us-east-1".into(),
        service: "bedrock".into(),
        at,
        time,
    }
}

/// A host with its clock, as it is seen from here.
struct Seen {
    clocks: ClockSkews,
    clock: ManualClock,
}

impl Seen {
    fn new() -> Self {
        Self { clocks: ClockSkews::default(), clock: ManualClock::at(UnixTime(NEW_YEAR)) }
    }

    fn ahead(&self, host: &str) -> i64 {
        seconds(self.clocks.time_at("", host, UnixTime(NEW_YEAR)).0) - seconds(NEW_YEAR)
    }

    /// A request that takes `took`, to a host that is `ahead` when it answers at once at the end.
    fn answered(&self, host: &str, took: u64, ahead: i64, refused: bool) -> ClockVerdict {
        let at = self.clock.now();
        let signed = signed(host, at, self.clocks.time_at("", host, at.unix));
        self.clock.advance(Duration::from_secs(took));
        let received = self.clock.now();
        let date = date(received.unix.0.saturating_add_signed(ahead));
        let date = Some(date.as_bytes());
        self.clocks.observe(&ClockReading { signed: &signed, received, date, aged: false, refused })
    }
}

#[test]
fn a_host_that_lies_shifts_nobody_else() {
    let seen = Seen::new();
    assert_eq!(seen.answered("liar.example", 0, 3_600, true), ClockVerdict::Corrected { ahead: 3_600 });
    assert_eq!(seen.ahead("liar.example"), 3_600);
    assert_eq!(seen.ahead("LIAR.example"), 3_600);
    for other in [HOST, "example", "a.liar.example", "liar.example:8443", ""] {
        assert_eq!(seen.ahead(other), 0, "{other}");
    }
    seen.answered(HOST, 0, 10, false);
    assert_eq!((seen.ahead(HOST), seen.ahead("liar.example")), (10, 3_600));
}

/// A caller writes the name of one entry's host into a request to another entry, and who answers there lies.
#[test]
fn what_is_said_to_one_entry_shifts_no_other_entry_of_the_same_host() {
    let seen = Seen::new();
    seen.answered(HOST, 0, 3_600, true);
    let now = UnixTime(NEW_YEAR);
    assert_eq!(seen.clocks.time_at("", HOST, now), now.plus(Duration::from_secs(3_600)));
    assert_eq!(seen.clocks.time_at("bedrock", HOST, now), now);
}

#[test]
fn a_difference_of_more_than_a_day_is_not_believed() {
    let seen = Seen::new();
    seen.answered(HOST, 0, 10 * 365 * 86_400, false);
    assert_eq!(seen.ahead(HOST), 86_400);
    seen.answered(HOST, 0, -10 * 365 * 86_400, false);
    assert_eq!(seen.ahead(HOST), -86_400);
    let signed = signed(HOST, seen.clock.now(), seen.clock.now().unix);
    let received = Now { unix: UnixTime(u64::MAX), ..seen.clock.now() };
    for text in
        ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 06 Nov 1994", "\u{ff}", ""]
    {
        let date = Some(text.as_bytes());
        seen.clocks.observe(&ClockReading { signed: &signed, received, date, aged: false, refused: true });
        assert!(seen.ahead(HOST).abs() <= 86_400);
    }
}

#[test]
fn a_refusal_at_the_time_of_the_host_has_another_reason() {
    let seen = Seen::new();
    assert_eq!(seen.answered(HOST, 0, 300, true), ClockVerdict::Corrected { ahead: 300 });
    // Signed with those 300 s: it is the policy, or the key.
    assert_eq!(seen.answered(HOST, 0, 300, true), ClockVerdict::Fine);
    // Our clock was set right; the difference that was signed with is the fault now.
    assert_eq!(seen.answered(HOST, 0, 0, true), ClockVerdict::Corrected { ahead: 0 });
    assert_eq!(seen.ahead(HOST), 0);
}

#[test]
fn the_clock_is_a_reason_from_four_minutes_on() {
    for (ahead, verdict) in [
        (239, ClockVerdict::Fine),
        (240, ClockVerdict::Corrected { ahead: 240 }),
        (-239, ClockVerdict::Fine),
        (-240, ClockVerdict::Corrected { ahead: -240 }),
    ] {
        let seen = Seen::new();
        assert_eq!(seen.answered(HOST, 0, ahead, true), verdict);
        assert_eq!(seen.ahead(HOST), ahead);
        assert_eq!(Seen::new().answered(HOST, 0, ahead, false), ClockVerdict::Fine);
    }
}

#[test]
fn a_model_that_thinks_for_minutes_does_not_move_the_clock() {
    let seen = Seen::new();
    seen.answered(HOST, 14 * 60, 0, false);
    assert_eq!(seen.ahead(HOST), 0);
    // An hour ahead, though, is an hour ahead: by what the long answer leaves no doubt of.
    seen.answered(HOST, 14 * 60, 3_600, false);
    assert_eq!(seen.ahead(HOST), 3_600);
    seen.answered(HOST, 14 * 60, 3_500, false);
    assert_eq!(seen.ahead(HOST), 3_600);
    seen.answered(HOST, 16 * 60, 0, false);
    assert_eq!(seen.ahead(HOST), 3_600);
    seen.answered(HOST, 2, 1, false);
    assert_eq!(seen.ahead(HOST), 2);
}

#[test]
fn a_clock_of_ours_that_is_set_in_between_is_read_as_it_is_now() {
    let clocks = ClockSkews::default();
    let sent = ManualClock::at(UnixTime(NEW_YEAR - 1_000)).now();
    let signed = signed(HOST, sent, sent.unix);
    let received = Now { unix: UnixTime(NEW_YEAR), instant: sent.instant + Duration::from_secs(2) };
    let date = date(NEW_YEAR - 1);
    let reading =
        ClockReading { signed: &signed, received, date: Some(date.as_bytes()), aged: false, refused: true };
    clocks.observe(&reading);
    assert_eq!(clocks.ahead(HOST), 0);
}

#[test]
fn the_memory_of_hosts_is_bounded() {
    let seen = Seen::new();
    for number in 0..10 * HOSTS {
        seen.answered(&format!("{number}.example"), 0, 1_000, false);
    }
    assert!(seen.clocks.ahead.len() <= HOSTS, "{}", seen.clocks.ahead.len());
    let long = "a".repeat(LONGEST_HOST + 1);
    seen.answered(&long, 0, 1_000, false);
    assert_eq!(seen.ahead(&long), 0);
}
