//! The text report as it looks, and its width.

use super::super::super::fixture;
use super::super::super::summary::ErrorKind;
use super::*;

#[test]
fn a_report_looks_like_this() {
    let missed =
        [Missed::MaxErrors { measured: 1, allowed: 0 }, Missed::MinRate { measured: 2.0, allowed: 1_000.0 }];
    let expected = "\
ext_proc at 127.0.0.1:9002, plain text
closed loop for 1 s
4 connections, 256 streams, 1,000 callers
body: 4 KiB, buffered

  right       2 of 3 (66.7 %)
  rate        2/s

  latency           min     mean      p50      p90      p99    p99.9      max
                 400 µs   600 µs   400 µs   800 µs   800 µs   800 µs   800 µs

  to 436 µs   ████████████████████████████████████       50 %
  to 476 µs                                               0 %
  to 519 µs                                               0 %
  to 566 µs                                               0 %
  to 617 µs                                               0 %
  to 673 µs                                               0 %
  to 734 µs                                               0 %
  to 800 µs   ████████████████████████████████████       50 %

  errors              1  refused with HTTP 503, first at 0.5 s

  server      16,667 µs CPU a request, 0.05 cores in use
              memory 28 MiB at the start, 29 MiB at most, 29 MiB at the end
              4 threads, 23 open files

  missed      1 error, 0 allowed
              2/s right answers, at least 1,000/s asked for
";
    assert_eq!(text(&fixture::three(), &missed, Ink::Plain), expected);
}

#[test]
fn a_report_fits_into_80_columns() {
    let mut crowded = fixture::troubled();
    let reason = Some("x".repeat(200));
    let first = std::time::Duration::from_secs(86_399);
    crowded.errors.push(ErrorKind {
        outcome: super::super::super::record::Outcome::Status(99),
        count: u64::MAX / 8,
        first,
        reason,
    });
    for summary in [fixture::calm(), crowded, fixture::nothing()] {
        let report = text(&summary, &[Missed::NoRequests], Ink::Plain);
        let long = report.lines().find(|line| line.chars().count() > COLUMNS);
        assert_eq!(long, None, "\n{report}");
        assert!(!report.lines().any(|line| line.ends_with(' ')), "\n{report}");
    }
}

#[test]
fn colours_change_no_letter() {
    let summary = fixture::troubled();
    let colour = text(&summary, &[Missed::NoRequests], Ink::Colour);
    assert!(colour.contains("\x1b[1;31mno request"));
    let mut plain = String::new();
    for (index, part) in colour.split('\x1b').enumerate() {
        plain.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(plain, text(&summary, &[Missed::NoRequests], Ink::Plain));
}

#[test]
fn a_stall_is_seen_in_the_time_line() {
    let report = text(&fixture::troubled(), &[], Ink::Plain);
    let curve = |name: &str| {
        let line = report.lines().rfind(|line| line.trim_start().starts_with(name)).unwrap();
        line.trim_start().trim_start_matches(name).trim().chars().collect::<Vec<_>>()
    };
    let (rate, p99) = (curve("rate"), curve("p99"));
    assert_eq!((rate.len(), p99.len()), (60, 60));
    assert_eq!((rate[29], rate[30], rate[32]), ('▃', '▁', '█'));
    assert_eq!((p99[29], p99[30], p99[32]), ('▁', '█', '▁'));
}

#[test]
fn lines_are_broken_at_spaces_or_where_they_must() {
    for (text, expected) in [
        ("", vec![""]),
        ("ab cd", vec!["ab cd"]),
        ("ab cde", vec!["ab", "cde"]),
        ("abcdefgh i", vec!["abcde", "fgh i"]),
        ("a bcdefgh", vec!["a", "bcdef", "gh"]),
    ] {
        assert_eq!(folded(text, 5), expected, "{text}");
    }
}
