//! What a person reads.

use std::fmt::Write as _;

use super::compare::{Difference, common};
use crate::base::printable;
use crate::credential::{ShownRequest, StringToSign};

/// Whether there is colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Colour,
    Plain,
}

/// The whole report.
pub(super) struct Report {
    /// Name, value, where it comes from.
    pub(super) facts: Vec<(&'static str, String, String)>,
    pub(super) request: ShownRequest,
    /// Hash of the canonical request is in it.
    pub(super) string: StringToSign,
    /// What somebody should know.
    pub(super) notes: Vec<String>,
    /// Why bouncer would not sign it.
    pub(super) refusal: Option<String>,
    /// What came of the comparison.
    pub(super) answer: Option<Verdict>,
}

/// What came of the comparison with an answer.
pub(super) struct Verdict {
    /// One line: what kind of an answer it is.
    pub(super) is: String,
    /// The lines that differ, the first one with its reason.
    pub(super) differences: Vec<Difference>,
    /// Where nothing differs or nothing could be compared: what it means and what to change.
    pub(super) told: Vec<(String, &'static str)>,
}

/// Longer texts are cut here, in bytes.
const LONGEST: usize = 20 * 1024;

/// Lines go on below after so many characters.
const WIDEST: usize = 100;

impl Report {
    pub(super) fn text(&self, ink: Ink) -> String {
        let mut out = String::new();
        let (names, values) = (
            width(self.facts.iter().map(|fact| fact.0)),
            width(self.facts.iter().map(|fact| fact.1.as_str())),
        );
        for (name, value, from) in &self.facts {
            line(&mut out, &format!("{name:names$}  {value:values$}  {from}"));
        }
        let request = &self.request;
        heading(&mut out, ink, "canonical request");
        let mut rows = vec![
            ("method", request.method.clone()),
            ("path", request.path.clone()),
            ("query", or_empty(&request.query)),
        ];
        for (at, (name, value)) in request.headers.iter().enumerate() {
            rows.push((if at == 0 { "headers" } else { "" }, format!("{name}:{value}")));
        }
        rows.push(("", String::new()));
        rows.push(("signed headers", request.signed_headers.clone()));
        rows.push(("payload hash", request.payload.clone()));
        table(&mut out, &rows);
        heading(&mut out, ink, "string to sign");
        let StringToSign { algorithm, time, scope, hash } = &self.string;
        let rows = [("algorithm", algorithm), ("time", time), ("scope", scope), ("request hash", hash)];
        table(&mut out, &rows.map(|(name, value)| (name, value.clone())));
        if !self.notes.is_empty() {
            heading(&mut out, ink, "notes");
            for note in &self.notes {
                paragraph(&mut out, "  - ", note);
            }
        }
        if let Some(refusal) = &self.refusal {
            heading(&mut out, ink, "refused");
            paragraph(&mut out, "  ", &format!("bouncer does not sign this request: {refusal}"));
        }
        if let Some(verdict) = &self.answer {
            verdict.write(&mut out, ink);
        }
        out
    }
}

impl Verdict {
    fn write(&self, out: &mut String, ink: Ink) {
        heading(out, ink, "answer of AWS");
        paragraph(out, "  ", &self.is);
        if let Some(first) = self.differences.first() {
            line(
                out,
                &format!("  {} {}: {}", painted(ink, "31", "differs first in"), first.name, first.place),
            );
            let at = common(&first.ours, &first.theirs);
            line(out, &format!("    bouncer  {}", printable(&or_empty(&first.ours), LONGEST)));
            line(out, &format!("    AWS      {}", or_empty(&first.theirs)));
            if at > 0 {
                line(out, &format!("             {}{}", " ".repeat(at), painted(ink, "31", "^")));
            }
            cause(out, &first.means, first.change);
            let rest: Vec<_> = self.differences.iter().skip(1).map(|other| other.name.as_str()).collect();
            if !rest.is_empty() {
                paragraph(out, "  differs too: ", &rest.join(", "));
            }
        }
        for (means, change) in &self.told {
            cause(out, means, change);
        }
    }
}

fn cause(out: &mut String, means: &str, change: &str) {
    paragraph(out, "  means   ", means);
    if !change.is_empty() {
        paragraph(out, "  change  ", change);
    }
}

fn or_empty(text: &str) -> String {
    if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() }
}

fn heading(out: &mut String, ink: Ink, title: &str) {
    out.push('\n');
    line(out, &painted(ink, "1", title));
}

fn painted(ink: Ink, code: &str, text: &str) -> String {
    match ink {
        Ink::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        Ink::Plain => text.to_owned(),
    }
}

fn table(out: &mut String, rows: &[(&str, String)]) {
    let names = width(rows.iter().map(|row| row.0));
    for (name, value) in rows {
        line(out, &format!("  {name:names$}  {}", printable(value, LONGEST)));
    }
}

/// A sentence in lines that a terminal has room for, those after the first one below its beginning.
fn paragraph(out: &mut String, start: &str, text: &str) {
    let mut written = start.to_owned();
    let mut begun = false;
    for word in text.split(' ') {
        if begun && written.chars().count() + 1 + word.chars().count() > WIDEST {
            line(out, &written);
            written = " ".repeat(start.chars().count());
            begun = false;
        }
        if begun {
            written.push(' ');
        }
        written.push_str(word);
        begun = true;
    }
    line(out, &written);
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{}", text.trim_end());
}
