//! Figures as people read them: three digits that count, and a unit.

use std::time::Duration;

/// `870 µs`, `1.24 ms`, `12.4 s`.
pub(super) fn micros(micros: u64) -> String {
    time(Duration::from_micros(micros))
}

/// The same of any time: `0.4 µs`, `90 s`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.999_5e-3 {
        format!("{} µs", three(seconds * 1e6))
    } else if seconds < 0.999_5 {
        format!("{} ms", three(seconds * 1e3))
    } else {
        format!("{} s", three(seconds))
    }
}

/// How long something goes on: `10 s`, `1 min 30 s`, `24 h`.
pub(super) fn span(span: Duration) -> String {
    let tenths = span.as_millis().saturating_add(50) / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if seconds < 60 {
        return if tenth == 0 { format!("{seconds} s") } else { format!("{seconds}.{tenth} s") };
    }
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).take(2);
    parts.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// `1,234,567`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `4 connections`, `1 stream`.
pub(super) fn number(count: u64, what: &str) -> String {
    format!("{} {what}{}", self::count(count), if count == 1 { "" } else { "s" })
}

/// So many a second: `0.5`, `99.8`, `48,210`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and not negative")]
pub(super) fn rate(rate: f64) -> String {
    if rate < 99.95 { trimmed(format!("{rate:.1}")) } else { count(rate.round() as u64) }
}

/// `512 B`, `28.1 MiB`.
#[allow(clippy::cast_precision_loss, reason = "told in three digits")]
pub(super) fn bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1_024.0, next);
    }
    format!("{} {unit}", three(value))
}

/// `part` of `whole`: `0 %`, `0.003 %`, `12.5 %`, and never `100 %` where something is missing.
#[allow(clippy::cast_precision_loss, reason = "told in a few digits")]
pub(super) fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    match percent {
        _ if part == whole && whole > 0 => "100 %".to_owned(),
        _ if part == 0 => "0 %".to_owned(),
        ..0.001 => "< 0.001 %".to_owned(),
        99.999.. => "> 99.999 %".to_owned(),
        ..0.1 | 99.9.. => format!("{} %", trimmed(format!("{percent:.3}"))),
        _ => format!("{} %", trimmed(format!("{percent:.1}"))),
    }
}

/// Three digits that count, as many after the point as that takes: `1.24`, `12.4`, `124`; no zeros at the end.
pub(super) fn three(value: f64) -> String {
    match value {
        ..9.995 => trimmed(format!("{value:.2}")),
        ..99.95 => trimmed(format!("{value:.1}")),
        _ => rate(value),
    }
}

fn trimmed(number: String) -> String {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.').to_owned() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        for (micro, expected) in [
            (1, "1 µs"),
            (870, "870 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (1_239, "1.24 ms"),
            (12_390, "12.4 ms"),
            (999_499, "999 ms"),
            (999_700, "1 s"),
            (59_970_000, "60 s"),
        ] {
            assert_eq!(micros(micro), expected, "{micro}");
        }
        assert_eq!(time(Duration::from_nanos(400)), "0.4 µs");
    }

    #[test]
    fn a_span_is_told_in_two_units() {
        for (millis, expected) in [
            (0, "0 s"),
            (2_540, "2.5 s"),
            (59_960, "1 min"),
            (90_000, "1 min 30 s"),
            (3_600_000, "1 h"),
            (86_399_000, "23 h 59 min"),
            (3_605_000, "1 h 5 s"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn counts_are_in_groups_of_three() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in
            [(0.0, "0"), (0.5, "0.5"), (99.94, "99.9"), (99.96, "100"), (48_210.4, "48,210")]
        {
            assert_eq!(rate(number), expected);
        }
    }

    #[test]
    fn one_is_one() {
        for (count, expected) in [(0, "0 streams"), (1, "1 stream"), (2_000, "2,000 streams")] {
            assert_eq!(number(count, "stream"), expected);
        }
    }

    #[test]
    fn bytes_are_told_in_powers_of_1024() {
        for (number, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_023, "1 KiB"),
            (29_465_600, "28.1 MiB"),
            (u64::MAX, "16,777,216 TiB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn almost_all_is_not_all() {
        for (part, whole, expected) in [
            (0, 0, "0 %"),
            (0, 7, "0 %"),
            (7, 7, "100 %"),
            (1, 8, "12.5 %"),
            (3, 100_000, "0.003 %"),
            (1, 1_000_000, "< 0.001 %"),
            (99_997, 100_000, "99.997 %"),
            (999_999, 1_000_000, "> 99.999 %"),
        ] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }
}
