//! Durations and sizes, which carry their unit in the text.

use std::time::Duration;

/// What a duration looks like, for faults.
pub const DURATION: &str = "a duration with its unit, as 400ms, 30s, 5m, 8h or 1h30m";
/// What a size looks like, for faults.
pub const SIZE: &str = "a size with its unit, as 64KiB, 16MiB or 10MB";

/// A century would overflow nobody's clock; a year is more than anybody can mean.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

const DURATIONS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZES: [(&str, usize); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Reads `1h30m`: numbers with units, larger units first, each at most once.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = DURATIONS.iter();
    let mut milliseconds: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = number(rest)?;
        let end = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds = milliseconds.checked_add(number.checked_mul(*factor)?)?;
        rest = tail;
    }
    Some(Duration::from_millis(milliseconds)).filter(|duration| *duration <= LONGEST)
}

/// Reads `16MiB`.
#[must_use]
pub fn size(text: &str) -> Option<usize> {
    let (number, unit) = number(text)?;
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    usize::try_from(number).ok()?.checked_mul(*factor)
}

/// Writes `16MiB`: in the largest unit of which it is a whole number.
pub(super) fn size_text(size: usize) -> String {
    let whole = |(_, factor): &&(&str, usize)| size != 0 && size.is_multiple_of(*factor);
    let unit = SIZES.iter().filter(whole).max_by_key(|(_, factor)| *factor);
    let (unit, factor) = unit.unwrap_or(&("B", 1));
    format!("{}{unit}", size / factor)
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_units() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("400ms", 400),
            ("5m", 300_000),
            ("8h", 28_800_000),
            ("1h30m", 5_400_000),
            ("1s500ms", 1_500),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "-5s",
            "+5s",
            "5 s",
            "1.5h",
            "30m1h",
            "5s5s",
            "5d",
            "5S",
            "99999999h",
            "18446744073709551616s",
            "１s",
            "5s ",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_as_somebody_would_write_it() {
        for text in ["16MiB", "64KiB", "10MB", "5B", "1GiB", "1000MiB", "1025B", "3GB", "64GiB"] {
            assert_eq!(size_text(size(text).unwrap()), text);
        }
        assert_eq!((size_text(0), size_text(1024 << 10)), ("0B".to_owned(), "1MiB".to_owned()));
    }

    #[test]
    fn sizes_carry_their_units() {
        for (text, bytes) in
            [("16MiB", 16 << 20), ("64KiB", 64 << 10), ("10MB", 10_000_000), ("5B", 5), ("0B", 0)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "16", "MiB", "-1B", "1.5MiB", "16 MiB", "16mib", "16M", "99999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
