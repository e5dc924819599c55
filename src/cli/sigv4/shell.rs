//! A command line taken apart as a POSIX shell takes it, without a shell: nothing is expanded, nothing runs.

use thiserror::Error;

/// Why a line is no plain command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ShellError {
    #[error("a quote that opens at character {0} never closes")]
    Open(usize),
    #[error(
        "{what:?} at character {at} is for a shell to do, and nothing runs here: put its result in its place, or quote it"
    )]
    Shell { what: char, at: usize },
    #[error("the escape at character {0} is not known inside $'…'")]
    Escape(usize),
}

/// The words of `line`. Places are counted in characters, from 1.
pub(super) fn words(line: &str) -> Result<Vec<String>, ShellError> {
    let mut reader = Reader { rest: line.chars().collect::<Vec<_>>().into_iter(), at: 0 };
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    while let Some(c) = reader.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => reader.single(word.get_or_insert_default())?,
            '"' => reader.double(word.get_or_insert_default())?,
            '$' if reader.peek() == Some('\'') => {
                reader.next();
                reader.ansi_c(word.get_or_insert_default())?;
            }
            '\\' => match reader.next() {
                // The line goes on; copied from Windows, too.
                Some('\n') => {}
                Some('\r') if reader.peek() == Some('\n') => {
                    reader.next();
                }
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(ShellError::Open(reader.at)),
            },
            '`' | '$' | '|' | ';' | '&' | '<' | '>' | '(' | ')' => {
                return Err(ShellError::Shell { what: c, at: reader.at });
            }
            '#' if word.is_none() => return Err(ShellError::Shell { what: c, at: reader.at }),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

struct Reader {
    rest: std::vec::IntoIter<char>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        self.at += 1;
        self.rest.next()
    }

    fn peek(&self) -> Option<char> {
        self.rest.as_slice().first().copied()
    }

    fn single(&mut self, word: &mut String) -> Result<(), ShellError> {
        let open = self.at;
        loop {
            match self.next().ok_or(ShellError::Open(open))? {
                '\'' => return Ok(()),
                c => word.push(c),
            }
        }
    }

    fn double(&mut self, word: &mut String) -> Result<(), ShellError> {
        let open = self.at;
        loop {
            match self.next().ok_or(ShellError::Open(open))? {
                '"' => return Ok(()),
                '\\' => match self.next().ok_or(ShellError::Open(open))? {
                    '\n' => {}
                    c @ ('"' | '\\' | '$' | '`') => word.push(c),
                    c => word.extend(['\\', c]),
                },
                // A variable in a header that is taken off anyway is no reason to stop; one in the body makes another hash, and
                // the report says so.
                c @ '`' => return Err(ShellError::Shell { what: c, at: self.at }),
                c @ '$' if self.peek() == Some('(') => {
                    return Err(ShellError::Shell { what: c, at: self.at });
                }
                c => word.push(c),
            }
        }
    }

    /// `$'…'`, as browsers copy a body.
    fn ansi_c(&mut self, word: &mut String) -> Result<(), ShellError> {
        let open = self.at;
        loop {
            match self.next().ok_or(ShellError::Open(open))? {
                '\'' => return Ok(()),
                '\\' => {
                    let at = self.at;
                    let c = match self.next().ok_or(ShellError::Open(open))? {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        c @ ('\\' | '\'' | '"' | '?') => c,
                        'x' => self.digits(2).filter(char::is_ascii).ok_or(ShellError::Escape(at))?,
                        'u' => self.digits(4).ok_or(ShellError::Escape(at))?,
                        'U' => self.digits(8).ok_or(ShellError::Escape(at))?,
                        _ => return Err(ShellError::Escape(at)),
                    };
                    word.push(c);
                }
                c => word.push(c),
            }
        }
    }

    fn digits(&mut self, most: usize) -> Option<char> {
        let mut number = None;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else { break };
            number = Some(number.unwrap_or(0) * 16 + digit);
            self.next();
        }
        char::from_u32(number?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            ("  a\tb\n", &["a", "b"]),
            (r#"a'b c'"d e"\ f"#, &["ab cd e f"]),
            (r#"'' "" x"#, &["", "", "x"]),
            (r#""a\"b\\c\d$x""#, &[r#"a"b\c\d$x"#]),
            ("a \\\n  b \\\r\n c", &["a", "b", "c"]),
            (r"'a\b'", &[r"a\b"]),
            (r"$'a\n\x41\u00e9\''", &["a\nAé'"]),
            (r#"'it'\''s'"#, &["it's"]),
            ("a#b", &["a#b"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_do_is_refused_with_its_place() {
        for (line, what, at) in [
            ("a `b`", '`', 3),
            ("a $X", '$', 3),
            ("a|b", '|', 2),
            ("a; b", ';', 2),
            ("a & b", '&', 3),
            ("a > b", '>', 3),
            ("\"a$(b)\"", '$', 3),
            ("\"`\"", '`', 2),
            ("# a", '#', 1),
        ] {
            assert_eq!(words(line), Err(ShellError::Shell { what, at }), "{line}");
        }
        for (line, at) in [("a 'b", 3), ("\"b\\\"", 1), ("$'a", 2)] {
            assert_eq!(words(line), Err(ShellError::Open(at)), "{line}");
        }
        assert_eq!(words(r"$'\q'"), Err(ShellError::Escape(3)));
    }
}
