//! How faults speak: names quoted and cut, the nearest allowed name, lists.

/// Longest name that a fault repeats.
const NAME: usize = 64;

/// A name or a word of a closed set, quoted, control characters escaped, cut.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", cut(name, NAME))
}

/// `text` with control characters escaped and nothing after `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == most {
            out.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Direction marks and separators with which a message could be made to look like another (CVE-2021-42574).
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `a, b, c`.
pub(super) fn list<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for word in words {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(word.as_ref());
    }
    out
}

/// The allowed word that was probably meant.
pub(super) fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > NAME {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    allowed
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            *cell = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            left = *cell;
            diagonal = above;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_one_that_was_probably_meant() {
        let allowed = ["issuer", "audiences", "jwks_uri", "max_age"];
        assert_eq!(nearest("audience", allowed), Some("audiences"));
        assert_eq!(nearest("jwks-uri", allowed), Some("jwks_uri"));
        assert_eq!(nearest("isuser", allowed), Some("issuer"));
        assert_eq!(nearest("password", allowed), None);
        assert_eq!(nearest(&"x".repeat(10_000), allowed), None);
    }

    #[test]
    fn names_are_cut_and_cannot_forge_a_line() {
        assert_eq!(quoted("a\nb\u{202e}"), "\"a\\u{a}b\\u{202e}\"");
        assert_eq!(quoted(&"x".repeat(100)), format!("\"{}…\"", "x".repeat(64)));
    }
}
