//! Instants as AWS writes them: `20260101T000000Z`. Days are counted by the civil calendar (H. Hinnant, `chrono` date
//! algorithms), so that the verifier shares nothing with what it verifies.

/// Seconds of Unix time, where the text is one.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let digits = text.len() == 16 && text.is_ascii() && text.as_bytes()[8] == b'T' && text.ends_with('Z');
    let part = |from: usize, to: usize| text.get(from..to).filter(|_| digits)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + part(9, 11)? * 3600 + part(11, 13)? * 60 + part(13, 15)?)
}

/// The text of an instant.
pub(crate) fn format(unix: i64) -> String {
    let (days, second) = (unix.div_euclid(86_400) + 719_468, unix.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (year + era * 400, month + 3) } else { (year + era * 400 + 1, month - 9) };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The same as `2026-01-01T00:00:00Z`.
pub(crate) fn iso(unix: i64) -> String {
    let text = format(unix);
    let part = |from: usize, to: usize| &text[from..to];
    let (date, time) = ([part(0, 4), part(4, 6), part(6, 8)], [part(9, 11), part(11, 13), part(13, 15)]);
    format!("{}T{}Z", date.join("-"), time.join(":"))
}

#[test]
fn instants_are_read_as_they_are_written() {
    assert_eq!(parse("20260101T000000Z"), Some(1_767_225_600));
    for unix in [0, 951_782_399, 951_782_400, 1_709_251_199, 1_767_225_600, 4_102_444_799] {
        assert_eq!(parse(&format(unix)), Some(unix), "{}", format(unix));
    }
    assert_eq!(parse("20260101 000000Z"), None);
    assert_eq!(iso(1_767_225_600), "2026-01-01T00:00:00Z");
}
