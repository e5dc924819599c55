//! `clock-skew-test-cases.json` of the crate `aws-runtime`, which the SDKs of AWS share.

use bouncer::base::{Clock as _, ManualClock, Now, UnixTime};
use bouncer::credential::{ClockReading, ClockSkews, ClockVerdict, Signed};
use serde_json::Value;

use crate::signing::{sources_of, unix};

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";

/// One client with its clock.
struct Client {
    clocks: ClockSkews,
    start: Now,
}

#[test]
fn the_official_cases_of_clock_skew_hold() {
    let file = sources_of("aws-runtime").join("test-data/clock-skew-test-cases.json");
    let suite: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let tests = suite["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 10);
    for test in tests {
        let what = test["description"].as_str().unwrap();
        let client = Client::new();
        client.learn(test["operations"][0]["initialClientSkew"].as_i64().unwrap());
        for operation in test["operations"].as_array().unwrap() {
            let attempts = operation["attempts"].as_array().unwrap();
            let mut verdicts: Vec<_> =
                attempts.iter().map(|attempt| client.attempts(attempt, what)).collect();
            let expected = operation["expectedClientSkew"].as_i64().unwrap();
            assert_eq!(client.ahead(), expected, "{what}");
            // Where another attempt followed, the clock was the reason; the last one may have had no attempts left.
            let last = verdicts.pop().unwrap();
            let corrected = ClockVerdict::Corrected { ahead: expected };
            assert!(verdicts.iter().all(|verdict| *verdict == corrected), "{what}");
            assert_eq!(last == corrected, operation["maxAttempts"] == 1, "{what}");
        }
    }
}

impl Client {
    fn new() -> Self {
        Self { clocks: ClockSkews::default(), start: ManualClock::at(unix("2026-01-01T00:00:00Z")).now() }
    }

    fn at(&self, unix: UnixTime) -> Now {
        Now { unix, instant: self.start.instant + unix.since(self.start.unix) }
    }

    fn ahead(&self) -> i64 {
        let there = self.clocks.time_at("", HOST, self.start.unix).0;
        i64::try_from(there).unwrap() - i64::try_from(self.start.unix.0).unwrap()
    }

    /// What the client knows before the first operation.
    fn learn(&self, ahead: i64) {
        let signed = signed(self.start, self.start.unix);
        let there = self.start.unix.0.saturating_add_signed(ahead);
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(there));
        let date = Some(date.as_bytes());
        let reading =
            ClockReading { signed: &signed, received: self.start, date, aged: false, refused: false };
        self.clocks.observe(&reading);
    }

    fn attempts(&self, attempt: &Value, what: &str) -> ClockVerdict {
        let time_of = |name: &str| unix(attempt[name].as_str().unwrap());
        let sent = time_of("clientTimeAtSend");
        let time = self.clocks.time_at("", HOST, sent);
        assert_eq!(time, time_of("expectedSigningTime"), "{what}");
        let response = &attempt["response"];
        self.clocks.observe(&ClockReading {
            signed: &signed(self.at(sent), time),
            received: self.at(time_of("clientTimeAtReceive")),
            date: response["headers"]["Date"].as_str().map(str::as_bytes),
            aged: response["headers"]["Age"].is_string(),
            // Every code in the cases is one that a wrong clock can be the reason of.
            refused: response["errorCode"].is_string(),
        })
    }
}

fn signed(at: Now, time: UnixTime) -> Signed {
    Signed {
        entry: "".into(),
        host: HOST.into(),
        region: "us-east-1".into(),
        service: "bedrock".into(),
        at,
        time,
    }
}
