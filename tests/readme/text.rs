//! README.md taken apart: blocks, tables, excerpts.

use std::fs;
use std::path::Path;

/// A fenced block: what stands behind the fence, and its text.
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) text: String,
}

/// The table rows below a heading, without the lines of titles and dashes.
pub(crate) fn rows(heading: &str) -> Vec<Vec<String>> {
    let readme = readme();
    let section = readme.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let lines: Vec<_> = section.lines().collect();
    let is_title = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|--"));
    let rows = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| line.starts_with("| ") && !is_title(*at) && !line.starts_with("|--"));
    rows.map(|(_, line)| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

pub(crate) fn blocks() -> Vec<Block> {
    let readme = readme();
    let parts: Vec<_> = readme.split("\n```").collect();
    assert_eq!(parts.len() % 2, 1, "a fence is open");
    let blocks = parts.iter().skip(1).step_by(2).map(|part| {
        let (info, text) = part.split_once('\n').unwrap();
        Block { info: info.to_owned(), text: format!("{text}\n") }
    });
    blocks.collect()
}

/// Whether the lines of `excerpt` stand in `text` one after the other, all shifted by the same number of blanks.
pub(crate) fn stands_in(text: &str, excerpt: &str) -> bool {
    let text = format!("\n{text}");
    (0..40).any(|blanks| {
        let shift =
            |line: &str| if line.is_empty() { String::new() } else { format!("\n{:blanks$}{line}", "") };
        let shifted: String = excerpt.lines().map(shift).collect();
        text.contains(&format!("{shifted}\n"))
    })
}

/// Whether `word` stands in `text`, and not only as a part of a longer one: `--rate` is not `--rate-limit`.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '-' || char == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

#[test]
fn a_longer_word_is_another_one() {
    let help = "      --rate-limit <N>\n      --my--key, --max_errors  not --report.";
    for word in ["--rate", "--key", "--max", "--rate-limi", "-rate-limit"] {
        assert!(!has_word(help, word), "{word}");
    }
    for word in ["--rate-limit", "--max_errors", "--report"] {
        assert!(has_word(help, word), "{word}");
    }
}

pub(crate) fn readme() -> String {
    read("README.md")
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(top().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, one after the other.
pub(crate) fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}
