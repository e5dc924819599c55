//! Tests of `log.rs`.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn captured(format: LogFormat, directives: Option<&str>, events: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    let writer = captured.clone();
    with_default(lines(format, directives, move || writer.clone()), events);
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.split_terminator('\n').map(str::to_owned).collect()
}

#[test]
fn a_json_line_is_an_object_with_the_fields_beside_the_message() {
    let lines = captured(LogFormat::Json, None, || {
        tracing::info!(target: "bouncer::serve", count = 3, on = true, share = 0.5, none = f64::NAN,
            text = "a \"b\"", shown = %"c", level = "x", "listening on {}", 1);
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let time = value["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    let expected = serde_json::json!({
        "time": time, "level": "INFO", "target": "bouncer::serve", "message": "listening on 1",
        "count": 3, "on": true, "share": 0.5, "none": "NaN", "text": "a \"b\"", "shown": "c", "event.level": "x",
    });
    assert_eq!(value, expected);
}

#[test]
fn a_text_line_reads_well() {
    let lines = captured(LogFormat::Text, None, || {
        tracing::warn!(target: "bouncer::config", file = "a b", count = 2, "kept the old one");
        tracing::error!(target: "bouncer", code = 1);
    });
    let tail = |line: &str| line.split_once("Z ").unwrap().1.to_owned();
    assert_eq!(tail(&lines[0]), r#" WARN bouncer::config: kept the old one file="a b" count=2"#);
    assert_eq!(tail(&lines[1]), "ERROR bouncer: code=1");
}

#[test]
fn one_event_is_one_line_whatever_it_carries() {
    let evil = "a\r\n{\"level\":\"ERROR\"}\x1b[2J\u{202e}\u{2028}";
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = captured(format, None, || {
            tracing::info!(target: "bouncer", sub = evil, shown = %evil, debug = ?evil, "path {evil}");
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}')), "{line}");
        if format == LogFormat::Json {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["level"], "INFO");
            assert_eq!(value["sub"], evil);
            assert_eq!(value["message"], format!("path {evil}"));
        }
    }
    let long = "x".repeat(100 << 10);
    let lines = captured(LogFormat::Json, None, || tracing::info!(target: "bouncer", sub = %long));
    assert!(lines[0].len() < 2_048 && lines[0].contains("102400 bytes"));
}

#[test]
fn other_crates_are_not_heard_below_warn_whatever_is_asked_for() {
    macro_rules! all {
        ($target:literal) => {
            tracing::trace!(target: $target, "canary");
            tracing::debug!(target: $target, "canary");
            tracing::info!(target: $target, "canary");
            tracing::warn!(target: $target, "loud");
        };
    }
    for directives in ["trace", "h2=trace,hyper=trace,rustls=trace,reqwest=trace,tonic=trace", "[{}]=trace"] {
        let lines = captured(LogFormat::Text, Some(directives), || {
            all!("h2::codec");
            all!("hyper");
            all!("hyper_util::client");
            all!("rustls");
            all!("reqwest::connect");
            all!("tonic::transport");
            all!("bouncery");
        });
        assert!(!lines.join("\n").contains("canary"), "{directives}: {lines:?}");
        assert!(directives != "trace" || lines.len() == 7, "{lines:?}");
    }
}

#[test]
fn the_directives_choose_among_our_own_events() {
    let events = || {
        tracing::debug!(target: "bouncer::token", "debug");
        tracing::info!(target: "bouncer::serve", "info");
    };
    let count = |directives| captured(LogFormat::Text, directives, events).len();
    assert_eq!(count(None), 1);
    assert_eq!(count(Some("bouncer=debug")), 2);
    assert_eq!(count(Some("warn,bouncer::token=debug")), 1);
    assert_eq!(count(Some("warn")), 0);
    assert_eq!(count(Some("bouncer=loud")), 1, "not understood: info");
}

#[test]
fn colour_is_there_only_when_asked_for() {
    let captured = Captured::default();
    let writer = captured.clone();
    let coloured = subscriber(LogFormat::Text, Colour::On, None, move || writer.clone());
    with_default(coloured, || tracing::warn!(target: "bouncer", sub = "\x1b[2J", "x"));
    let line = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(line.contains("\x1b[33m WARN\x1b[0m") && !line.contains("[2J\x1b") && !line.contains("\x1b[2J"));
}

#[test]
fn secrets_in_an_event_print_as_nothing() {
    let secret = crate::base::Secret::new(String::from("hunter2"));
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = captured(format, None, || tracing::error!(target: "bouncer", ?secret, "x {secret:?}"));
        assert!(lines[0].contains("[secret]") && !lines[0].contains("hunter2"));
    }
}
