//! The catalogue of threats, row by row, with the cases that hold each: a row without a case, or a case that lost its
//! name, is seen here. Rows of what is not built yet are listed with what they wait for.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "catalogue/concurrency.rs"]
mod concurrency;
#[path = "catalogue/leakage.rs"]
mod leakage;
#[path = "catalogue/rows.rs"]
mod rows;
#[path = "catalogue/sigv4.rs"]
mod sigv4;
#[path = "catalogue/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use concurrency::CONCURRENCY;
use leakage::LEAKAGE;
use rows::{ADMIN, HEADERS, Held, JWT, PROTOCOL};
use sigv4::SIGV4;
use tokens::TOKENS;

#[test]
fn every_row_is_held_by_cases_that_exist() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        read(&top.join(folder), &mut sources);
    }
    let table = fs::read_to_string(top.join("tests/it/decisions/table.rs")).unwrap();
    let exists = |case: &str| match (case.strip_prefix("table: "), case.starts_with("config/")) {
        (Some(line), _) => table.contains(&format!("\"{line}\"")),
        (None, true) => top.join("tests/fixtures").join(case).join("expected.txt").exists(),
        (None, false) => sources.iter().any(|text| text.contains(&format!("fn {case}("))),
    };
    let mut seen = BTreeSet::new();
    for (row, what, held) in
        [JWT, HEADERS, PROTOCOL, TOKENS, CONCURRENCY, SIGV4, LEAKAGE, ADMIN].into_iter().flatten()
    {
        assert!(seen.insert(row), "{row} stands here twice");
        match held {
            Held::By(cases) => {
                assert!(!cases.is_empty(), "{row} {what}");
                for case in *cases {
                    assert!(exists(case), "{row} {what}: no case {case}");
                }
            }
            Held::Waits(reason) => assert!(!reason.is_empty(), "{row} {what}"),
        }
    }
}

fn read(folder: &Path, texts: &mut Vec<String>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("catalogue.rs")
        {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}
