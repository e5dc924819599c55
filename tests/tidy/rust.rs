//! As much of the grammar of Rust as the rules need: comments, quotes, braces, words.

use std::ops::Range;

/// The number, from 1, of the line in which the byte `at` stands.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where `word` stands as a word.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !text[..*at].ends_with(in_word) && !text[at + word.len()..].starts_with(in_word))
}

/// The first names behind every `root` (`crate::`), also in braces: `crate::{a::B, c}` gives a and c.
pub(crate) fn used_from(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    let starts = code.match_indices(root).map(|(at, _)| at + root.len());
    for start in starts
        .filter(|start| !code[..start - root.len()].ends_with(|before| in_word(before) || before == ':'))
    {
        let rest = &code[start..];
        let Some(group) = rest.strip_prefix('{') else {
            used.push((start, rest.chars().take_while(|letter| in_word(*letter)).collect()));
            continue;
        };
        let group = &group[..closing(rest).saturating_sub(2)];
        let mut depth = 0;
        let top_level = |letter: char| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        };
        let names = group
            .split(top_level)
            .map(|name| name.trim().chars().take_while(|letter| in_word(*letter)).collect());
        used.extend(names.filter(|name: &String| !name.is_empty()).map(|name| (start, name)));
    }
    used
}

/// How long the braced text at the start of `text` is, from the first `{` to its `}`.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == '}' && depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// `code` without the items under `#[cfg(test)]`; lines keep their numbers.
pub(crate) fn without_tests(code: &str) -> String {
    let mut left = code.to_owned();
    while let Some(start) = left.find("#[cfg(test)]") {
        let length = match left[start..].find([';', '{']) {
            Some(at) if left[start + at..].starts_with(';') => at + 1,
            _ => closing(&left[start..]),
        };
        blank(&mut left, start..start + length);
    }
    left
}

/// Rust without its comments and without what stands in quotes; lines keep their numbers.
pub(crate) fn code(text: &str) -> String {
    let mut left = text.to_owned();
    let mut at = 0;
    while let Some(letter) = left[at..].chars().next() {
        let length = no_code(&left[at..], left[..at].ends_with(in_word));
        blank(&mut left, at..at + length);
        at += if length == 0 { letter.len_utf8() } else { length };
    }
    left
}

/// How long the comment, string or character is that `rest` begins with; zero where it begins with none.
fn no_code(rest: &str, after_word: bool) -> usize {
    let to = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return to("*/", 2);
    }
    let raw = rest.trim_start_matches(['b', 'c']).strip_prefix('r').filter(|_| !after_word);
    if let Some(quote) = raw.map(|raw| raw.trim_start_matches('#')).filter(|raw| raw.starts_with('"')) {
        let from = rest.len() - quote.len();
        let hashes = rest[..from].matches('#').count();
        return to(&format!("\"{}", "#".repeat(hashes)), from + 1);
    }
    let quoted = |quote: char| {
        let mut escaped = false;
        rest.char_indices().skip(1).find(|(_, letter)| {
            let end = *letter == quote && !escaped;
            escaped = *letter == '\\' && !escaped;
            end
        })
    };
    let is_character = rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'');
    match rest.chars().next() {
        Some('"') => quoted('"').map_or(rest.len(), |(at, _)| at + 1),
        // Else it is a lifetime.
        Some('\'') if is_character => quoted('\'').map_or(rest.len(), |(at, _)| at + 1),
        _ => 0,
    }
}

fn blank(text: &mut String, range: Range<usize>) {
    let blanks: String =
        text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(range, &blanks);
}
