//! Text of strangers: bounded, and without power over a line, a terminal or a reader's eye.

use std::borrow::Cow;
use std::fmt::Write;

/// Controls, line ends of Unicode, and what turns or hides the text around it.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text`, or its first `most` bytes, marked with its length and the start of its SHA-256.
#[must_use]
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut out = text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    // Writing to a String does not fail.
    let _ = write!(out, "… ({} bytes, sha256 ", text.len());
    let _ = digest.as_ref().iter().take(8).try_for_each(|byte| write!(out, "{byte:02x}"));
    out.push(')');
    Cow::Owned(out)
}

/// `text` for a terminal: at most `most` bytes of it, and what is not seen spelled out.
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let text = cut(text, most);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_marked() {
        assert_eq!(cut("aé", 3), "aé");
        let text = cut("aéb", 2);
        assert!(text.starts_with("a… (4 bytes, sha256 ") && text.len() < 50, "{text}");
    }

    #[test]
    fn what_is_not_seen_is_spelled_out() {
        assert_eq!(printable("a\u{202e}b\x1b[2J\r\né", 100), "a\\u{202e}b\\u{1b}[2J\\u{d}\\u{a}é");
    }
}
