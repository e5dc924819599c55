//! The server's own words, as they are told to whoever runs the load.

use std::collections::HashSet;

use crate::base::printable;

/// Longer words are cut, in bytes.
const LONGEST: usize = 200;

/// So many bytes of a token in a row are no accident, and too few to be of use to anybody.
const PIECE: usize = 16;

/// What is told instead of words that hold a token.
const HIDDEN: &str = "[not shown: the token is in it]";

/// `words` on one line and not too long. Those that hold 16 bytes of the caller's `token` in a row, or all of a shorter one, are
/// not told at all.
pub(super) fn told(words: &str, token: Option<&[u8]>) -> String {
    match token {
        Some(token) if holds(words.as_bytes(), token) => HIDDEN.to_owned(),
        _ => printable(words, LONGEST),
    }
}

fn holds(words: &[u8], token: &[u8]) -> bool {
    let length = token.len().clamp(1, PIECE);
    // As most words are.
    if words.len() < length {
        return false;
    }
    let pieces: HashSet<_> = token.windows(length).collect();
    words.windows(length).any(|piece| pieces.contains(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYWxsZXItMSJ9.c2lnbmF0dXJlLW9mLXRoZS1jYWxsZXI";

    fn hides(words: &str, token: &str) -> bool {
        match told(words, Some(token.as_bytes())).as_str() {
            HIDDEN => true,
            shown => {
                assert_eq!(shown, printable(words, LONGEST));
                false
            }
        }
    }

    #[test]
    fn words_with_a_piece_of_the_token_are_not_told() {
        for piece in [TOKEN, &TOKEN[..PIECE], &TOKEN[TOKEN.len() - PIECE..], &TOKEN[9..40]] {
            for words in
                [piece.to_owned(), format!("{piece}: no"), format!("no: {piece}"), format!("é{piece}é")]
            {
                assert!(hides(&words, TOKEN), "{words}");
            }
        }
        assert!(!hides(&TOKEN[..PIECE - 1], TOKEN));
        assert!(!hides("the token ends with …jYWxsZXI, which is not accepted", TOKEN));
        assert!(!hides("", TOKEN));
    }

    #[test]
    fn where_the_words_are_cut_does_not_matter() {
        for start in LONGEST - 2 * PIECE..=LONGEST {
            let words = format!("{}{TOKEN}", "-".repeat(start));
            assert!(hides(&words, TOKEN), "{start}");
        }
    }

    #[test]
    fn a_short_token_is_hidden_as_a_whole() {
        assert!(hides("not a.b.c!", "a.b.c"));
        assert!(!hides("not a.b.!", "a.b.c"));
        assert!(!hides("anything", ""));
    }

    #[test]
    fn a_terminal_does_not_obey_the_words() {
        assert_eq!(told("\x1b[31m too\nmany", None), "\\u{1b}[31m too\\u{a}many");
        assert!(told(&"x".repeat(1_000), None).len() < 300);
    }
}
