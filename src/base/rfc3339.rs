//! Times as people read them: RFC 3339 section 5.6, in UTC.

use super::UnixTime;

/// 9999-12-31T23:59:59Z: RFC 3339 knows no later time.
const LAST: u64 = 253_402_300_799;

impl UnixTime {
    /// `2027-01-31T00:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        format!("{}Z", seconds(self.0))
    }
}

/// `2027-01-31T00:00:00.123Z`, of milliseconds since the Unix epoch.
#[must_use]
pub fn rfc3339_millis(millis: u64) -> String {
    format!("{}.{:03}Z", seconds(millis / 1_000), millis % 1_000)
}

/// Without its zone. What lies beyond year 9999 is its last second.
fn seconds(unix: u64) -> String {
    let unix = unix.min(LAST);
    let (year, month, day) = date(unix / 86_400);
    let second = unix % 86_400;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day since 1970-01-01, in the calendar of eras of 400 years that begin with March
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_calendar_has_them() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_825_600, "2000-02-29T12:00:00Z"),
            (1_483_228_799, "2016-12-31T23:59:59Z"),
            (1_798_675_200, "2026-12-31T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime(unix).rfc3339(), text);
        }
        assert_eq!(rfc3339_millis(951_825_600_007), "2000-02-29T12:00:00.007Z");
    }
}
