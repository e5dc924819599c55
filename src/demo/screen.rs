//! What the person at the terminal reads: titles, commands, answers, marks. Colour only where stdout is a terminal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// Longest text of an answer that is shown, in characters.
const SHOWN: usize = 400;

/// Standard output, plain or in colour. A reader that went away (`| head`) is no error.
pub(super) struct Screen {
    ink: Ink,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ink {
    Colour,
    Plain,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { ink: if std::io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain } }
    }

    /// A line as it is.
    pub(super) fn line(&self, text: impl Display) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// The head of a step.
    pub(super) fn title(&self, text: impl Display) {
        self.line(format_args!("\n{}", self.painted("1", text)));
    }

    /// A command to repeat by hand.
    pub(super) fn command(&self, text: impl Display) {
        self.line(format_args!("  {} {}", self.painted("2", "$"), self.painted("36", text)));
    }

    /// What came back.
    pub(super) fn answer(&self, text: &str) {
        for line in shortened(text).lines() {
            self.line(format_args!("    {line}"));
        }
    }

    /// A fact that was verified: it held, or something else was found instead.
    pub(super) fn fact(&self, fact: &str, instead: Option<&str>) {
        match instead {
            None => self.line(format_args!("  {} {fact}", self.painted("32", "✓"))),
            Some(found) => {
                self.line(format_args!("  {} {fact}: not so, {}", self.painted("31", "✗"), shortened(found)));
            }
        }
    }

    /// Why the demo ends, on stderr.
    pub(super) fn error(&self, error: impl Display) {
        let _ = writeln!(std::io::stderr(), "bouncer demo: {error}");
    }

    fn painted(&self, code: &str, text: impl Display) -> String {
        match self.ink {
            Ink::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Ink::Plain => text.to_string(),
        }
    }
}

/// `text` without control characters other than line ends, cut where it gets long.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).take(SHOWN).collect();
    if short.len() < text.len() && text.chars().count() > SHOWN {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_nothing_is_painted() {
        assert_eq!(Screen { ink: Ink::Plain }.painted("31", "x"), "x");
        assert_eq!(Screen { ink: Ink::Colour }.painted("31", "x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn an_answer_cannot_write_to_the_terminal() {
        assert_eq!(shortened("a\x1b[31mb\r\nc"), "a[31mb\nc");
        assert_eq!(shortened(&"x".repeat(1_000)).chars().count(), SHOWN + 1);
    }
}
