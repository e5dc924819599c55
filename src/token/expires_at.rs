//! `expires_at` of a secret: RFC 3339 as people write it, or Unix seconds as scripts do.

use crate::base::UnixTime;

/// 9999-12-31T23:59:59Z: RFC 3339 knows no later time, and milliseconds taken for seconds lie beyond it.
const LAST: i64 = 253_402_300_799;

/// Reads either form; none for everything else, for times before 1970, and for days that no calendar has.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    let seconds = if !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()?
    } else {
        rfc3339(text)?
    };
    (0..=LAST).contains(&seconds).then(|| u64::try_from(seconds).ok().map(UnixTime))?
}

/// RFC 3339 section 5.6. Parts of a second are dropped.
fn rfc3339(text: &str) -> Option<i64> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    literal(&mut rest, b"-")?;
    let month = digits(&mut rest, 2)?;
    literal(&mut rest, b"-")?;
    let day = digits(&mut rest, 2)?;
    literal(&mut rest, b"Tt")?;
    let hour = digits(&mut rest, 2)?;
    literal(&mut rest, b":")?;
    let minute = digits(&mut rest, 2)?;
    literal(&mut rest, b":")?;
    let second = digits(&mut rest, 2)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
        rest = fraction.get(end..).filter(|_| (1..=9).contains(&end))?;
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            literal(&mut rest, b"+-")?;
            let hours = digits(&mut rest, 2)?;
            literal(&mut rest, b":")?;
            let minutes = digits(&mut rest, 2)?;
            if hours > 23 || minutes > 59 || !rest.is_empty() {
                return None;
            }
            sign * (hours * 60 + minutes) * 60
        }
    };
    // 60 is a leap second; Unix time has none and counts it as the next minute's first.
    if day == 0 || day > days_in(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    head.bytes().all(|byte| byte.is_ascii_digit()).then(|| head.parse().ok())?
}

fn literal(rest: &mut &str, one_of: &[u8]) -> Option<()> {
    let (head, tail) = rest.split_at_checked(1)?;
    *rest = tail;
    one_of.contains(head.as_bytes().first()?).then_some(())
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => return None,
    })
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days before the year, counted from year 0 of the calendar drawn backwards.
    let leap_days = |year: i64| (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let months: i64 = (1..month).filter_map(|month| days_in(year, month)).sum();
    (year - 1970) * 365 + leap_days(year) - leap_days(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (text, seconds) in [
            ("0", 0),
            ("1798675200", 1_798_675_200),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-31T00:00:00Z", 1_798_675_200),
            ("2026-12-31t00:00:00z", 1_798_675_200),
            ("2026-12-31T00:00:00.999999999Z", 1_798_675_200),
            ("2026-12-31T02:00:00+02:00", 1_798_675_200),
            ("2026-12-30T18:30:00-05:30", 1_798_675_200),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(UnixTime(seconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "1e9",
            " 1798675200",
            "1798675200000",
            "99999999999999999999",
            "never",
            "2026-12-31",
            "2026-12-31T00:00:00",
            "2026-12-31 00:00:00Z",
            "2026-12-31T00:00Z",
            "2026-12-31T00:00:00.Z",
            "2026-12-31T00:00:00ZZ",
            "2026-12-31T00:00:00+0200",
            "2026-12-31T00:00:00+24:00",
            "2026-12-31T24:00:00Z",
            "2026-12-31T00:60:00Z",
            "2026-12-31T00:00:61Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "９９９９-12-31T23:59:59Z",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_day_later_is_86400_seconds_more(year in 1970i64..9999, month in 1i64..=12, day in 1i64..=31) {
            let at = |year, month, day| parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
            let Some(this) = at(year, month, day) else {
                prop_assert!(day > 28);
                return Ok(());
            };
            let next = at(year, month, day + 1).or_else(|| at(year, month + 1, 1)).or_else(|| at(year + 1, 1, 1));
            prop_assert_eq!(next.unwrap().0 - this.0, 86_400);
        }
    }
}
