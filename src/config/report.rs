//! Faults for people and for programs.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::files;
use super::words;
use crate::base::{Fault, Place, Severity};

/// A line longer than this is nothing that a person wrote.
const WIDEST: usize = 120;

/// One line a fault (`file:line:column: path: what; allowed: …`), the line of the file with a caret below the place, and at
/// the end how many there are. Of the line only keys are shown, values never: they may be secrets.
#[must_use]
pub fn text(faults: &[Fault]) -> String {
    text_with(faults, |file| files::text(file).ok())
}

/// As [`text`], with the files' texts at hand.
#[must_use]
pub fn text_with(faults: &[Fault], source: impl Fn(&Path) -> Option<String>) -> String {
    let mut texts: HashMap<&Path, Option<String>> = HashMap::new();
    let mut out = String::new();
    for fault in faults {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{fault}");
        if let Some(place) = &fault.place
            && let Some(text) = texts.entry(&place.file).or_insert_with(|| source(&place.file))
            && let Some(excerpt) = excerpt(text, place)
        {
            out.push_str(&excerpt);
        }
    }
    let _ = writeln!(out, "{}", summary(faults));
    out
}

/// An array of objects with `severity`, `file`, `line`, `column`, `path`, `what`, `allowed`; what is not known is null.
#[must_use]
pub fn json(faults: &[Fault]) -> String {
    let objects: Value = faults
        .iter()
        .map(|fault| {
            let place = fault.place.as_ref();
            json!({
                "severity": match fault.severity {
                    Severity::Fault => "fault",
                    Severity::Warning => "warning",
                },
                "file": place.map(|place| place.file.display().to_string()),
                "line": place.map(|place| place.line),
                "column": place.map(|place| place.column),
                "path": fault.path,
                "what": fault.what,
                "allowed": fault.allowed,
            })
        })
        .collect();
    format!("{objects:#}\n")
}

/// `2 faults, 1 warning`.
fn summary(faults: &[Fault]) -> String {
    let count = |severity| faults.iter().filter(|fault| fault.severity == severity).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let (bad, odd) = (count(Severity::Fault), count(Severity::Warning));
    match (bad, odd) {
        (0, 0) => "no faults".to_owned(),
        (bad, 0) => plural(bad, "fault"),
        (0, odd) => format!("no faults, {}", plural(odd, "warning")),
        (bad, odd) => format!("{}, {}", plural(bad, "fault"), plural(odd, "warning")),
    }
}

/// The line with its values left out, and the caret.
fn excerpt(text: &str, place: &Place) -> Option<String> {
    let line = text.lines().nth(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let at = line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column)?;
    let (before, after) = line.split_at(at);
    let before = without_values(before);
    let token = key(after).map_or_else(|| "…".to_owned(), |key| format!("{key}: …"));
    if before.chars().count() > WIDEST {
        return None;
    }
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let blank = " ".repeat(before.chars().count());
    Some(format!(" {number} | {before}{token}\n {margin} | {blank}^\n"))
}

/// What stands before the place: indentation, dashes, brackets and keys; `…` for everything else.
fn without_values(before: &str) -> String {
    let mut out = String::new();
    // What is quoted is a value, and where it ends takes a parser.
    let (mut rest, quoted) = match before.find(['"', '\'']) {
        Some(at) => (before.get(..at).unwrap_or_default(), "… "),
        None => (before, ""),
    };
    while let Some(first) = rest.chars().next() {
        if let Some(key) = key(rest) {
            out.push_str(key);
            out.push(':');
            rest = rest.get(key.len() + 1..).unwrap_or_default();
        } else if first == '-' && rest.get(1..).is_none_or(|tail| tail.is_empty() || tail.starts_with(' ')) {
            out.push('-');
            rest = rest.get(1..).unwrap_or_default();
        } else if matches!(first, ' ' | '{' | '}' | '[' | ']' | ',') {
            out.push(first);
            rest = rest.get(1..).unwrap_or_default();
        } else {
            out.push('…');
            let end = rest.find([' ', '{', '}', '[', ']', ',']).unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    out + quoted
}

/// The plain key with which `text` begins.
fn key(text: &str) -> Option<&str> {
    let end = text.find(|character: char| {
        !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.'))
    })?;
    let (key, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':')?;
    let ends = rest.is_empty() || rest.starts_with(' ');
    (ends && !key.is_empty() && key.len() <= 64 && !key.starts_with('-') && words::cut(key, 64) == key)
        .then_some(key)
}
