//! Text of strangers in a log line: bounded, on one line, and without power over a terminal or a reader's eye.

use std::fmt::Write;

use crate::base::{cut, is_unseen};

/// Longer values are cut here, in bytes.
const LONGEST: usize = 1024;

/// How a character that may not stand as it is gets written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As inside a JSON string.
    Json,
    /// As in Rust source.
    Text,
}

/// Appends `value`, escaped. A long one is cut and marked with its length and the start of its SHA-256.
pub(super) fn push(out: &mut String, value: &str, style: Style) {
    for c in cut(value, LONGEST).chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unseen(c) => {
                // Every such character that JSON needs lies below U+10000; the others are split as JSON wants it.
                let _ = match style {
                    Style::Text => write!(out, "\\u{{{:x}}}", u32::from(c)),
                    Style::Json => {
                        let mut units = [0; 2];
                        c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
                    }
                };
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(value: &str, style: Style) -> String {
        let mut out = String::new();
        push(&mut out, value, style);
        out
    }

    #[test]
    fn nothing_has_power_over_the_line() {
        let value = "a\r\nb\x1b[2J\u{202e}\u{7f}\u{85}\u{2028}\0\"\\é\u{e0041}";
        let json = r#"a\r\nb\u001b[2J\u202e\u007f\u0085\u2028\u0000\"\\é\udb40\udc41"#;
        assert_eq!(pushed(value, Style::Json), json);
        let text = r#"a\r\nb\u{1b}[2J\u{202e}\u{7f}\u{85}\u{2028}\u{0}\"\\é\u{e0041}"#;
        assert_eq!(pushed(value, Style::Text), text);
    }

    #[test]
    fn a_long_value_is_cut_and_can_still_be_told_from_others() {
        let long = "é".repeat(50_000);
        let out = pushed(&long, Style::Text);
        assert!(out.len() < LONGEST + 64);
        assert!(out.contains("(100000 bytes, sha256 "));
        assert_ne!(out, pushed(&format!("{}e", "é".repeat(49_999)), Style::Text));
        assert_eq!(pushed(&"a".repeat(LONGEST), Style::Text).len(), LONGEST);
    }

    proptest! {
        #[test]
        fn json_gives_back_what_was_put_in(value in any::<String>().prop_filter("short", |v| v.len() <= LONGEST)) {
            let json = format!("\"{}\"", pushed(&value, Style::Json));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
        }
    }
}
